// A resource record of the tests: zone-file text to a value and back.

/// One record; names in `rdata` are never compressed.
struct TestRecord: Equatable, CustomStringConvertible {
    var owner: TestName
    var type: UInt16
    var recordClass: UInt16
    var ttl: UInt32
    var rdata: [UInt8]

    /// Reads `owner [ttl] [class] type rdata...`.
    init(_ text: String) throws {
        var words = try TestRecord.words(text)
        guard words.count >= 2 else { throw TestFormatError("not a record: '\(text)'") }
        owner = try TestName(words.removeFirst())
        ttl = 3600
        recordClass = 1
        while let word = words.first {
            if let number = UInt32(word) {
                ttl = number
            } else if let known = TestType.classes[word] {
                recordClass = known
            } else {
                break
            }
            words.removeFirst()
        }
        guard let word = words.first, let known = TestType.type(word) else {
            throw TestFormatError("unknown record type in '\(text)'")
        }
        type = known
        rdata = try TestRecord.rdata(type: known, Array(words.dropFirst()))
    }

    init(owner: TestName, type: UInt16, recordClass: UInt16 = 1, ttl: UInt32, rdata: [UInt8]) {
        self.owner = owner
        self.type = type
        self.recordClass = recordClass
        self.ttl = ttl
        self.rdata = rdata
    }

    var description: String {
        "\(owner) \(ttl) \(TestType.className(recordClass)) \(TestType.typeName(type)) \(rdataText)"
    }

    /// What a comparison of records looks at: everything but the TTL, names without case.
    var key: String {
        let body = TestType.namedTypes.contains(type) ? TestName(wire: rdata).folded.wire : rdata
        return "\(owner.folded) \(recordClass) \(type) \(TestRecord.hex(body))"
    }

    private var rdataText: String {
        switch type {
        case 1 where rdata.count == 4: return rdata.map { "\($0)" }.joined(separator: ".")
        case 2, 5, 12, 39: return TestName(wire: rdata).description
        case 28 where rdata.count == 16:
            return stride(from: 0, to: 16, by: 2).map {
                String(UInt16(rdata[$0]) << 8 | UInt16(rdata[$0 + 1]), radix: 16)
            }.joined(separator: ":")
        default: return "\\# \(rdata.count) \(TestRecord.hex(rdata))"
        }
    }

    static func hex(_ octets: [UInt8]) -> String {
        octets.map { String(256 + Int($0), radix: 16).dropFirst() }.joined()
    }

    static func octets(hex: String) throws -> [UInt8] {
        let digits = Array(hex)
        guard digits.count % 2 == 0 else { throw TestFormatError("odd number of hex digits") }
        return try stride(from: 0, to: digits.count, by: 2).map {
            guard let octet = UInt8(String(digits[$0...$0 + 1]), radix: 16) else {
                throw TestFormatError("not hex: \(hex)")
            }
            return octet
        }
    }

    /// Words by white space; "quoted words" stay whole, `;` begins a comment.
    static func words(_ text: String) throws -> [String] {
        var words: [String] = []
        var word = ""
        var isQuoted = false
        var wasQuoted = false
        for character in text {
            if character == "\"" {
                isQuoted.toggle()
                wasQuoted = true
            } else if isQuoted {
                word.append(character)
            } else if character == ";" {
                break
            } else if character == " " || character == "\t" {
                if !word.isEmpty || wasQuoted { words.append(word) }
                word = ""
                wasQuoted = false
            } else {
                word.append(character)
            }
        }
        if isQuoted { throw TestFormatError("open quote in '\(text)'") }
        if !word.isEmpty || wasQuoted { words.append(word) }
        return words
    }

    private static func rdata(type: UInt16, _ words: [String]) throws -> [UInt8] {
        if words.first == "\\#" {
            let octets = try octets(hex: words.dropFirst(2).joined())
            guard words.count > 1, Int(words[1]) == octets.count else { throw TestFormatError("wrong \\# length") }
            return octets
        }
        func word(_ index: Int) throws -> String {
            guard index < words.count else { throw TestFormatError("RDATA too short") }
            return words[index]
        }
        func short(_ index: Int) throws -> [UInt8] {
            guard let value = UInt16(try word(index)) else { throw TestFormatError("not a number: \(words[index])") }
            return [UInt8(value >> 8), UInt8(value & 255)]
        }
        func long(_ index: Int) throws -> [UInt8] {
            guard let value = UInt32(try word(index)) else { throw TestFormatError("not a number: \(words[index])") }
            return bigEndian(value)
        }
        switch type {
        case 1: return bigEndian(try TestAddress.ipv4(try word(0)))
        case 28: return try TestAddress.ipv6(try word(0))
        case 2, 5, 12, 39: return try TestName(try word(0)).wire
        case 15: return try short(0) + TestName(try word(1)).wire
        case 33: return try short(0) + short(1) + short(2) + TestName(try word(3)).wire
        case 6:
            return try TestName(try word(0)).wire + TestName(try word(1)).wire + long(2) + long(3) + long(4) + long(5)
                + long(6)
        case 13, 16: return words.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
        default: throw TestFormatError("write the RDATA of \(TestType.typeName(type)) as \\# LENGTH HEX")
        }
    }

    static func bigEndian(_ value: UInt32) -> [UInt8] {
        [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
    }
}
