// IPv4 and IPv6 literals of the tests.

import ForwarderCore

/// Reads address literals.
enum TestAddress {
    static func ipv4(_ text: String) throws -> UInt32 {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        var value: UInt32 = 0
        for part in parts {
            guard let part else { throw TestFormatError("not an IPv4 address: \(text)") }
            value = value << 8 | UInt32(part)
        }
        guard parts.count == 4 else { throw TestFormatError("not an IPv4 address: \(text)") }
        return value
    }

    static func ipv6(_ text: String) throws -> [UInt8] {
        func groups(_ half: Substring) throws -> [UInt8] {
            try half.split(separator: ":").flatMap { group -> [UInt8] in
                guard let value = UInt16(group, radix: 16) else { throw TestFormatError("not IPv6: \(text)") }
                return [UInt8(value >> 8), UInt8(value & 255)]
            }
        }
        guard let gap = text.firstRange(of: "::") else {
            let octets = try groups(text[...])
            guard octets.count == 16 else { throw TestFormatError("not an IPv6 address: \(text)") }
            return octets
        }
        let head = try groups(text[..<gap.lowerBound])
        let tail = try groups(text[gap.upperBound...])
        guard head.count + tail.count <= 14 else { throw TestFormatError("not an IPv6 address: \(text)") }
        return head + [UInt8](repeating: 0, count: 16 - head.count - tail.count) + tail
    }

    static func address(_ text: String) throws -> NetworkAddress {
        guard text.contains(":") else { return NetworkAddress(ipv4: try ipv4(text)) }
        let octets = try ipv6(text)
        func word(_ range: Range<Int>) -> UInt64 { octets[range].reduce(0) { $0 << 8 | UInt64($1) } }
        return NetworkAddress(high: word(0..<8), low: word(8..<16))
    }
}
