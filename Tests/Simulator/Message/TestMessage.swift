// A DNS message of the tests as a value, with its wire form (RFC 1035 4.1, RFC 6891 6.1.2).
//
// Decoding is strict: anything a careful client would frown on (octets left over, two OPTs, a forward pointer) is an
// error, so that whatever the engine writes is checked whole.

/// The OPT record of a message.
struct TestOPT: Equatable {
    var udpSize: UInt16 = 1232
    var version: UInt8 = 0
    var dnssecOK = false
    var options: [(code: UInt16, value: [UInt8])] = []

    func option(_ code: UInt16) -> [UInt8]? { options.first { $0.code == code }?.value }

    static func == (a: TestOPT, b: TestOPT) -> Bool {
        a.udpSize == b.udpSize && a.version == b.version && a.dnssecOK == b.dnssecOK
            && a.options.elementsEqual(b.options) { $0.code == $1.code && $0.value == $1.value }
    }
}

struct TestQuestion: Equatable, CustomStringConvertible {
    var name: TestName
    var type: UInt16
    var recordClass: UInt16 = 1
    var description: String { "\(name) \(TestType.className(recordClass)) \(TestType.typeName(type))" }
    var folded: TestQuestion { TestQuestion(name: name.folded, type: type, recordClass: recordClass) }
}

/// A whole message. `rcode` has all twelve bits; `flags` is the header's second word without RCODE.
struct TestMessage: Equatable {
    static let flagBits: [(String, UInt16)] = [
        ("QR", 0x8000), ("AA", 0x0400), ("TC", 0x0200), ("RD", 0x0100), ("RA", 0x0080), ("AD", 0x0020), ("CD", 0x0010),
    ]
    var id: UInt16 = 0
    var flags: UInt16 = 0
    var rcode: UInt16 = 0
    var questions: [TestQuestion] = []
    var answer: [TestRecord] = []
    var authority: [TestRecord] = []
    var additional: [TestRecord] = []
    var opt: TestOPT?

    var opcode: UInt16 { flags >> 11 & 15 }

    init() {}

    init(_ bytes: [UInt8]) throws {
        var reader = TestReader(bytes: bytes)
        id = try reader.short()
        let word = try reader.short()
        flags = word & 0xfff0
        rcode = word & 15
        let counts = (try reader.short(), try reader.short(), try reader.short(), try reader.short())
        for _ in 0..<counts.0 {
            questions.append(
                TestQuestion(name: try reader.name(), type: try reader.short(), recordClass: try reader.short()))
        }
        for _ in 0..<counts.1 { answer.append(try reader.record()) }
        for _ in 0..<counts.2 { authority.append(try reader.record()) }
        for _ in 0..<counts.3 {
            let record = try reader.record()
            if record.type == 41 { try take(record) } else { additional.append(record) }
        }
        guard reader.offset == bytes.count else { throw TestFormatError("octets after the message") }
        guard !answer.contains(where: { $0.type == 41 }), !authority.contains(where: { $0.type == 41 }) else {
            throw TestFormatError("OPT outside of additional")
        }
    }

    private mutating func take(_ record: TestRecord) throws {
        guard opt == nil else { throw TestFormatError("two OPT records") }
        guard record.owner.wire == [0] else { throw TestFormatError("OPT with an owner") }
        var found = TestOPT()
        found.udpSize = record.recordClass
        found.version = UInt8(record.ttl >> 16 & 255)
        found.dnssecOK = record.ttl & 0x8000 != 0
        rcode |= UInt16(record.ttl >> 24) << 4
        var reader = TestReader(bytes: record.rdata)
        while reader.offset < record.rdata.count {
            let code = try reader.short()
            found.options.append((code, try reader.take(Int(try reader.short()))))
        }
        opt = found
    }

    /// The wire form, names compressed.
    func encoded() -> [UInt8] {
        var writer = TestWriter()
        writer.short(id)
        writer.short(flags & 0xfff0 | rcode & 15)
        for count in [questions.count, answer.count, authority.count, additional.count + (opt == nil ? 0 : 1)] {
            writer.short(UInt16(count))
        }
        for question in questions {
            writer.name(question.name)
            writer.short(question.type)
            writer.short(question.recordClass)
        }
        for record in answer + authority + additional { writer.record(record) }
        if let opt {
            var rdata: [UInt8] = []
            for option in opt.options {
                rdata += [UInt8(option.code >> 8), UInt8(option.code & 255)]
                rdata += [UInt8(option.value.count >> 8), UInt8(option.value.count & 255)] + option.value
            }
            let ttl = UInt32(rcode >> 4) << 24 | UInt32(opt.version) << 16 | (opt.dnssecOK ? 0x8000 : 0)
            writer.record(
                TestRecord(owner: TestName(wire: [0]), type: 41, recordClass: opt.udpSize, ttl: ttl, rdata: rdata))
        }
        return writer.bytes
    }

    /// One line for a failure's text.
    var summary: String {
        let words = TestMessage.flagBits.filter { flags & $0.1 != 0 }.map { $0.0 }
        let sections = [("ANSWER", answer), ("AUTHORITY", authority), ("ADDITIONAL", additional)]
        let records = sections.filter { !$0.1.isEmpty }.map {
            "\($0.0): \($0.1.map(\.description).joined(separator: ", "))"
        }
        let options = opt?.options.map { "\($0.code)=\(TestRecord.hex($0.value))" }.joined(separator: ",") ?? ""
        let edns = opt.map { "OPT(size \($0.udpSize)\($0.dnssecOK ? " DO" : "") \(options))" } ?? "no OPT"
        return
            "id \(id) opcode \(opcode) \(words.joined(separator: " ")) \(TestType.rcodeName(rcode)) "
            + "[\(questions.map(\.description).joined(separator: ", "))] \(records.joined(separator: " ")) \(edns)"
    }
}
