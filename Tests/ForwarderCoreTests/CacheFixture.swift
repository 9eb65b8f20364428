// A cache with one worker's scratch beside it, as an engine has them; for the tests of the cache.

import DNSWire

@testable import ForwarderCore

/// A cache and what is needed to store into it and to ask it.
struct CacheFixture: ~Copyable {
    var answers: AnswerFixture
    let cache: SharedCache

    init(_ settings: CacheSettings = CacheSettings(), workers: Int = 1) {
        answers = AnswerFixture(settings)
        cache = SharedCache(settings: settings, workers: workers, seed: AnswerFixture.seed)
    }

    init(size: Int, workers: Int = 1) {
        var settings = CacheSettings()
        settings.size = size
        self.init(settings, workers: workers)
    }

    /// Stores a response under a question of its own name and type.
    mutating func store(
        _ response: TestResponse, dnssecOK: Bool = false, checkingDisabled: Bool = false, group: UInt16 = 0,
        at seconds: Int64 = 0
    ) {
        let asked = answers.question(
            response.name, response.type, dnssecOK: dnssecOK, checkingDisabled: checkingDisabled, group: group)
        keep(response, asked.question, at: seconds)
    }

    mutating func keep(_ response: TestResponse, _ question: Question, at seconds: Int64) {
        guard let packed = answers.pack(response, for: question) else { return }
        cache.store(
            packed, answers.packer.scratch, question: question, name: answers.names, nameOffset: 0,
            now: AnswerFixture.at(seconds))
    }

    /// The reply from the cache; nil on a miss.
    mutating func ask(
        _ name: String, _ type: RecordType = .a, dnssecOK: Bool = false, checkingDisabled: Bool = false,
        group: UInt16 = 0, edns: Bool = false, at seconds: Int64 = 0
    ) -> TestReply? {
        let asked = answers.question(
            name, type, dnssecOK: dnssecOK, checkingDisabled: checkingDisabled, group: group)
        return ask(asked.question, asked.mask, edns: edns, at: seconds)
    }

    mutating func ask(_ question: Question, _ mask: CaseMask, edns: Bool = false, at seconds: Int64) -> TestReply? {
        answers.out.removeAll()
        var query = AnswerFixture.client(edns: edns)
        query.caseMask = mask
        query.dnssecOK = question.dnssecOK
        query.checkingDisabled = question.checkingDisabled
        let found = cache.answer(
            question, name: answers.names, nameOffset: 0, now: AnswerFixture.at(seconds), turn: 0,
            writer: answers.writer, to: query, into: &answers.out)
        if case .miss = found { return nil }
        return answers.lastReply()
    }

    static func address(_ name: String, _ value: UInt32 = 1, ttl: UInt32 = 300) -> TestResponse {
        var response = TestResponse(name)
        response.answers = [TestResponse.address(ttl, value)]
        return response
    }

    static func denial(_ name: String, zone: String = "example.com", ttl: UInt32 = 300) -> TestResponse {
        var response = TestResponse(name)
        response.rcode = 3
        response.authorities = [TestResponse.soa(zone, ttl: ttl, minimum: ttl)]
        return response
    }

    static func failure(_ name: String) -> TestResponse {
        var response = TestResponse(name)
        response.rcode = 2
        return response
    }
}
