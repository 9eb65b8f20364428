// What the tests of answers and cache share: responses to pack, clients to answer, replies read back.
//
// The reader is written apart from DNSWire on purpose: a fault there should not hide itself here.

import DNSWire
import Testing

@testable import ForwarderCore

/// A response as an upstream sends it, built octet by octet.
struct TestResponse {
    static let toQuestion: [UInt8] = [0xc0, 0x0c]

    var name: String
    var type = RecordType.a
    var flags: UInt16 = 0x8180
    var rcode: UInt16 = 0
    var hasQuestion = true
    var answers: [[UInt8]] = []
    var authorities: [[UInt8]] = []
    var additionals: [[UInt8]] = []

    init(_ name: String, _ type: RecordType = .a) {
        self.name = name
        self.type = type
    }

    static func wireName(_ text: String) -> [UInt8] {
        var octets: [UInt8] = []
        for label in text.split(separator: ".") { octets += [UInt8(label.utf8.count)] + Array(label.utf8) }
        return octets + [0]
    }

    static func word(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 0xff), UInt8(value & 0xff)] }
    static func long(_ value: UInt32) -> [UInt8] { word(Int(value >> 16)) + word(Int(value & 0xffff)) }

    static func record(_ owner: [UInt8], _ type: RecordType, _ ttl: UInt32, _ data: [UInt8]) -> [UInt8] {
        owner + word(Int(type.rawValue)) + word(1) + long(ttl) + word(data.count) + data
    }

    static func address(_ ttl: UInt32, _ value: UInt32, owner: [UInt8] = toQuestion) -> [UInt8] {
        record(owner, .a, ttl, long(value))
    }

    static func soa(_ zone: String, ttl: UInt32, minimum: UInt32) -> [UInt8] {
        let data = wireName("ns." + zone) + wireName("mail." + zone) + long(1) + long(2) + long(3) + long(4)
        return record(wireName(zone), .soa, ttl, data + long(minimum))
    }

    /// An OPT with an extended error.
    static func optRecord(error: Int, text: String) -> [UInt8] {
        let option = word(15) + word(2 + text.utf8.count) + word(error) + Array(text.utf8)
        return [0] + word(41) + word(1232) + long(0) + word(option.count) + option
    }

    var bytes: [UInt8] {
        var message: [UInt8] = TestResponse.word(0x1234) + TestResponse.word(Int(flags | rcode))
        message += TestResponse.word(hasQuestion ? 1 : 0) + TestResponse.word(answers.count)
        message += TestResponse.word(authorities.count) + TestResponse.word(additionals.count)
        if hasQuestion {
            message += TestResponse.wireName(name) + TestResponse.word(Int(type.rawValue)) + TestResponse.word(1)
        }
        for record in answers + authorities + additionals { message += record }
        return message
    }
}

/// A packer, a place for names, and the buffer that replies go into.
struct AnswerFixture: ~Copyable {
    static let seed: (UInt64, UInt64) = (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210)

    var packer: AnswerPacker
    var names = ByteStore(capacity: 256)
    var offsets = TTLOffsets()
    var out = ActionBuffer()
    var writer: ReplyWriter

    init(_ cache: CacheSettings = CacheSettings(), _ adjust: (inout EngineSettings) -> Void = { _ in }) {
        packer = AnswerPacker(settings: cache)
        var settings = EngineSettings(upstreams: [], groups: [])
        adjust(&settings)
        writer = ReplyWriter(settings: settings)
    }

    /// The question for `name`, which is left folded at 0 of `names`.
    mutating func question(
        _ name: String, _ type: RecordType = .a, dnssecOK: Bool = false, checkingDisabled: Bool = false,
        group: UInt16 = 0
    ) -> (question: Question, mask: CaseMask) {
        question(wire: TestResponse.wireName(name), type, dnssecOK, checkingDisabled, group)
    }

    mutating func question(
        wire: [UInt8], _ type: RecordType, _ dnssecOK: Bool, _ checkingDisabled: Bool, _ group: UInt16
    ) -> (question: Question, mask: CaseMask) {
        let mask = foldName(wire.span, start: 0, length: wire.count, into: &names, at: 0)
        var labels = 0
        var place = 0
        while wire[place] != 0 {
            labels += 1
            place += 1 + Int(wire[place])
        }
        let question = Question(
            nameLength: wire.count, labelCount: labels, type: type, recordClass: RecordClass.internet,
            dnssecOK: dnssecOK, checkingDisabled: checkingDisabled, group: group,
            nameHash: hashName(names, 0, wire.count, seed: AnswerFixture.seed))
        return (question, mask)
    }

    mutating func pack(_ response: TestResponse, for question: Question, now: Instant = AnswerFixture.at(0))
        -> PackedAnswer?
    {
        let message = response.bytes
        do {
            let survey = try surveyResponse(message.span, dnssecOK: question.dnssecOK, ttlOffsets: &offsets)
            return packer.pack(
                message.span, survey, ttlOffsets: &offsets, question: question, name: names, nameOffset: 0, now: now)
        } catch {
            Issue.record("survey: \(error)")
            return nil
        }
    }

    /// Packs the response under its own name.
    mutating func pack(_ response: TestResponse) -> PackedAnswer? {
        let asked = question(response.name, response.type)
        return pack(response, for: asked.question)
    }

    static func at(_ seconds: Int64) -> Instant { Instant(nanoseconds: (1_000 + seconds) * 1_000_000_000) }

    static func client(stream: Bool = false, edns: Bool = false, limit: Int = 1232) -> ClientQuery {
        let endpoint = Endpoint(address: NetworkAddress(ipv4: 0x7f00_0001), port: 5353)
        let path = stream ? ReplyPath.stream(slot: 1, generation: 1) : .datagram(listener: 0, local: nil)
        return ClientQuery(
            client: Client(endpoint: endpoint, path: path), id: 0xbeef, caseMask: CaseMask(),
            recursionDesired: true, checkingDisabled: false, authenticData: false, dnssecOK: false, hasEDNS: edns,
            wantsKeepalive: false, sizeLimit: stream ? 65_535 : limit)
    }

    /// Gives what was packed last, and reads it back.
    mutating func give(
        to query: ClientQuery, age: UInt32 = 0, turn: UInt32 = 0, extendedError: ExtendedErrorCode? = nil
    ) -> TestReply? {
        out.removeAll()
        writer.write(
            packer.scratch, at: 0, age: age, turn: turn, extendedError: extendedError, to: query, into: &out)
        return lastReply()
    }

    /// The only reply in the buffer; nil when there is none.
    func lastReply() -> TestReply? {
        guard out.replies.count == 1, let reply = out.replies.last else { return nil }
        var octets: [UInt8] = []
        for place in reply.offset..<reply.offset + reply.count { octets.append(out.bytes[place]) }
        return TestReply(octets, framed: reply.client.isStream)
    }
}

/// A reply, read back.
struct TestReply {
    struct Record: Equatable {
        var owner: String
        var type: RecordType
        var ttl: UInt32
        var data: [UInt8]
    }

    var size = 0
    var id = 0
    var flags = 0
    var name = ""
    var type = RecordType(rawValue: 0)
    var questions = 0
    var answers: [Record] = []
    var authorities: [Record] = []
    var opt: Record?
    private var octets: [UInt8]

    var rcode: Int { flags & 15 }
    var isTruncated: Bool { flags & 0x0200 != 0 }
    /// The options of the OPT record by code.
    var options: [Int: [UInt8]] {
        var found: [Int: [UInt8]] = [:]
        var rest = opt?.data ?? []
        while rest.count >= 4 {
            let length = Int(rest[2]) << 8 | Int(rest[3])
            found[Int(rest[0]) << 8 | Int(rest[1])] = Array(rest.dropFirst(4).prefix(length))
            rest = Array(rest.dropFirst(4 + length))
        }
        return found
    }

    init?(_ reply: [UInt8], framed: Bool) {
        octets = framed ? Array(reply.dropFirst(2)) : reply
        if framed, Int(reply[0]) << 8 | Int(reply[1]) != octets.count { return nil }
        guard octets.count >= 12 else { return nil }
        size = octets.count
        id = word(0)
        flags = word(2)
        questions = word(4)
        var place = 12
        if questions == 1 {
            guard let (text, end) = readName(12) else { return nil }
            name = text
            type = RecordType(rawValue: UInt16(word(end)))
            place = end + 4
        }
        for section in [6, 8, 10] {
            for _ in 0..<word(section) {
                guard let (owner, end) = readName(place), end + 10 <= octets.count else { return nil }
                let length = word(end + 8)
                guard end + 10 + length <= octets.count else { return nil }
                let ttl = UInt32(word(end + 4)) << 16 | UInt32(word(end + 6))
                let record = Record(
                    owner: owner, type: RecordType(rawValue: UInt16(word(end))), ttl: ttl,
                    data: Array(octets[end + 10..<end + 10 + length]))
                switch section {
                case 6: answers.append(record)
                case 8: authorities.append(record)
                default: opt = record
                }
                place = end + 10 + length
            }
        }
        if place != octets.count { return nil }
    }

    private func word(_ place: Int) -> Int { Int(octets[place]) << 8 | Int(octets[place + 1]) }

    private func readName(_ start: Int) -> (String, Int)? {
        var text = ""
        var place = start
        var after: Int?
        for _ in 0..<256 {
            guard place < octets.count else { return nil }
            let length = Int(octets[place])
            if length == 0 { return (text.isEmpty ? "." : text, after ?? place + 1) }
            if length >= 0xc0 {
                guard place + 1 < octets.count else { return nil }
                if after == nil { after = place + 2 }
                place = word(place) & 0x3fff
            } else {
                guard place + length < octets.count else { return nil }
                text += String(decoding: octets[place + 1...place + length], as: UTF8.self) + "."
                place += 1 + length
            }
        }
        return nil
    }
}
