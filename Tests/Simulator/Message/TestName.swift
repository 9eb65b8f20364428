// A domain name of the tests: presentation text to wire and back.
//
// Written apart from DNSWire on purpose: the tests' codec is the oracle that the product's is held against, so the two
// must not share a mistake (RFC 1035 5.1 for the text, 3.1 for the wire).

/// What is wrong with a text or a message that a test reads.
struct TestFormatError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// A name as uncompressed wire octets, root label included.
struct TestName: Hashable, CustomStringConvertible {
    var wire: [UInt8]

    init(wire: [UInt8]) { self.wire = wire }

    /// Reads presentation format: `\.` and `\DDD` are known; a missing last dot is forgiven.
    init(_ text: String) throws {
        var wire: [UInt8] = []
        var label: [UInt8] = []
        let octets = Array(text.utf8)
        var i = 0
        func close() throws {
            guard !label.isEmpty, label.count < 64 else { throw TestFormatError("bad label in name '\(text)'") }
            wire.append(UInt8(label.count))
            wire += label
            label = []
        }
        while i < octets.count && text != "." {
            if octets[i] == UInt8(ascii: "\\") {
                let digits = octets[(i + 1)...].prefix(3)
                if digits.count == 3, let value = UInt8(String(decoding: digits, as: UTF8.self)) {
                    label.append(value)
                    i += 4
                } else {
                    guard i + 1 < octets.count else { throw TestFormatError("name ends in a backslash") }
                    label.append(octets[i + 1])
                    i += 2
                }
            } else if octets[i] == UInt8(ascii: ".") {
                try close()
                i += 1
            } else {
                label.append(octets[i])
                i += 1
            }
        }
        if !label.isEmpty { try close() }
        wire.append(0)
        guard wire.count <= 255 else { throw TestFormatError("name longer than 255 octets") }
        self.wire = wire
    }

    var description: String {
        var text = ""
        var i = 0
        while i < wire.count, wire[i] != 0 {
            for octet in wire[(i + 1)...].prefix(Int(wire[i])) {
                switch octet {
                case UInt8(ascii: "."), UInt8(ascii: "\\"): text += "\\\(Character(UnicodeScalar(octet)))"
                case 0x21...0x7e: text.append(Character(UnicodeScalar(octet)))
                default: text += "\\" + String(1000 + Int(octet)).dropFirst()
                }
            }
            text += "."
            i += 1 + Int(wire[i])
        }
        return text.isEmpty ? "." : text
    }

    /// With A-Z folded; a length octet is below 64, so no label boundary changes (RFC 4343).
    var folded: TestName { TestName(wire: wire.map { $0 >= 65 && $0 <= 90 ? $0 + 32 : $0 }) }
}
