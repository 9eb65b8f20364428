// Reading and writing the wire form for TestMessage.

/// A cursor over a message; every read is checked.
struct TestReader {
    var bytes: [UInt8]
    var offset = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func octet() throws -> UInt8 {
        guard offset < bytes.count else { throw TestFormatError("message cut short at octet \(offset)") }
        offset += 1
        return bytes[offset - 1]
    }
    mutating func short() throws -> UInt16 { UInt16(try octet()) << 8 | UInt16(try octet()) }
    mutating func long() throws -> UInt32 { UInt32(try short()) << 16 | UInt32(try short()) }
    mutating func take(_ count: Int) throws -> [UInt8] {
        guard bytes.count - offset >= count else { throw TestFormatError("message cut short at octet \(offset)") }
        offset += count
        return Array(bytes[(offset - count)..<offset])
    }

    /// A name, decompressed; pointers may only go backwards.
    mutating func name() throws -> TestName {
        var wire: [UInt8] = []
        var at = offset
        var end: Int?
        var bound = offset
        while true {
            guard at < bytes.count else { throw TestFormatError("name cut short") }
            let length = Int(bytes[at])
            if length >= 0xc0 {
                guard at + 1 < bytes.count else { throw TestFormatError("pointer cut short") }
                let target = (length & 0x3f) << 8 | Int(bytes[at + 1])
                guard target < bound else { throw TestFormatError("pointer to \(target) does not go back") }
                end = end ?? at + 2
                at = target
                bound = target
            } else {
                guard length < 64, at + 1 + length <= bytes.count else { throw TestFormatError("bad label") }
                wire += bytes[at...(at + length)]
                at += 1 + length
                if length == 0 { break }
            }
        }
        guard wire.count <= 255 else { throw TestFormatError("name too long") }
        offset = end ?? at
        return TestName(wire: wire)
    }

    mutating func record() throws -> TestRecord {
        let owner = try name()
        let type = try short()
        let recordClass = try short()
        let ttl = try long()
        let length = Int(try short())
        let end = offset + length
        guard end <= bytes.count else { throw TestFormatError("RDATA cut short") }
        var rdata: [UInt8]
        switch type {
        case 2, 5, 12, 39: rdata = try name().wire
        case 15: rdata = try take(2) + name().wire
        case 33: rdata = try take(6) + name().wire
        case 6: rdata = try name().wire + name().wire + take(20)
        default: rdata = try take(length)
        }
        guard offset == end else { throw TestFormatError("RDATA of another length than it says") }
        return TestRecord(owner: owner, type: type, recordClass: recordClass, ttl: ttl, rdata: rdata)
    }
}

/// Writes a message, compressing the names that RFC 3597 lets be compressed.
struct TestWriter {
    var bytes: [UInt8] = []
    private var places: [[UInt8]: Int] = [:]

    mutating func short(_ value: UInt16) { bytes += [UInt8(value >> 8), UInt8(value & 255)] }
    mutating func long(_ value: UInt32) { bytes += TestRecord.bigEndian(value) }

    mutating func name(_ name: TestName) {
        var rest = name.wire
        while let length = rest.first, length != 0 {
            if let place = places[rest] {
                short(0xc000 | UInt16(place))
                return
            }
            if bytes.count < 0x3fff { places[rest] = bytes.count }
            bytes += rest[...Int(length)]
            rest = Array(rest.dropFirst(1 + Int(length)))
        }
        bytes.append(0)
    }

    mutating func record(_ record: TestRecord) {
        name(record.owner)
        short(record.type)
        short(record.recordClass)
        long(record.ttl)
        let place = bytes.count
        short(0)
        switch record.type {
        case 2, 5, 12: name(TestName(wire: record.rdata))
        case 15:
            bytes += record.rdata.prefix(2)
            name(TestName(wire: Array(record.rdata.dropFirst(2))))
        default: bytes += record.rdata
        }
        let length = bytes.count - place - 2
        bytes[place] = UInt8(length >> 8)
        bytes[place + 1] = UInt8(length & 255)
    }
}
