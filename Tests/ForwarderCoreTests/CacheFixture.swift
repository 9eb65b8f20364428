// A cache with one worker's scratch beside it, as an engine has them; for the tests of the cache.

import DNSWire
import Testing

@testable import ForwarderCore

/// How a lookup ended, in words for tables.
enum LookupOutcome {
    case hit, due, stale, miss, missWithStale

    init(_ found: CacheLookup) {
        switch found {
        case .answered(_, let isDue): self = isDue ? .due : .hit
        case .stale: self = .stale
        case .miss(let hasStale): self = hasStale ? .missWithStale : .miss
        }
    }

    var isMiss: Bool { self == .miss || self == .missWithStale }
}

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

    /// How asking ends, and the reply.
    mutating func look(
        _ name: String, _ type: RecordType = .a, dnssecOK: Bool = false, checkingDisabled: Bool = false,
        at seconds: Int64
    ) -> (outcome: LookupOutcome, reply: TestReply?) {
        let asked = answers.question(name, type, dnssecOK: dnssecOK, checkingDisabled: checkingDisabled)
        return look(asked.question, asked.mask, edns: true, at: seconds)
    }

    /// The reply past its end; nil when there is none.
    mutating func askStale(
        _ name: String, _ type: RecordType = .a, dnssecOK: Bool = false, checkingDisabled: Bool = false,
        at seconds: Int64
    ) -> TestReply? {
        let asked = answers.question(name, type, dnssecOK: dnssecOK, checkingDisabled: checkingDisabled)
        return askStale(asked.question, asked.mask, at: seconds)
    }

    mutating func askStale(_ question: Question, _ mask: CaseMask, at seconds: Int64) -> TestReply? {
        answers.out.removeAll()
        let kind = cache.answerStale(
            question, name: answers.names, nameOffset: 0, now: AnswerFixture.at(seconds), turn: 0,
            writer: answers.writer, to: client(question, mask, edns: true), into: &answers.out)
        let reply = answers.lastReply()
        #expect((kind == nil) == (reply == nil))
        #expect((kind == .nameError) == (reply?.rcode == 3))
        return reply
    }

    private func client(_ question: Question, _ mask: CaseMask, edns: Bool) -> ClientQuery {
        var query = AnswerFixture.client(edns: edns)
        query.caseMask = mask
        query.dnssecOK = question.dnssecOK
        query.checkingDisabled = question.checkingDisabled
        return query
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
        look(question, mask, edns: edns, at: seconds).reply
    }

    mutating func look(
        _ question: Question, _ mask: CaseMask, edns: Bool, at seconds: Int64
    ) -> (outcome: LookupOutcome, reply: TestReply?) {
        answers.out.removeAll()
        let found = cache.answer(
            question, name: answers.names, nameOffset: 0, now: AnswerFixture.at(seconds), turn: 0,
            writer: answers.writer, to: client(question, mask, edns: edns), into: &answers.out)
        let outcome = LookupOutcome(found)
        let reply = answers.lastReply()
        #expect(outcome.isMiss == (reply == nil))
        return (outcome, reply)
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
