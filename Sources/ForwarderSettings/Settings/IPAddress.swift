// IP addresses, ports and CIDR blocks as values, with their own parser: the daemon has no Foundation, and inet_pton
// would cost an unsafe call and accept what a file should not say (it has no ports and no blocks anyway). Used by the
// checks and by the mapping. Never resolves a name. Text forms: RFC 4291 section 2.2, printed per RFC 5952.

/// An IPv4 or IPv6 address.
public struct IPAddress: Hashable, Sendable {
    /// The 16 octets, most significant first; IPv4 is held in the low 32 bits of `low`.
    public let high: UInt64
    public let low: UInt64
    public let isIPv6: Bool

    public init(ipv4: UInt32) {
        high = 0
        low = UInt64(ipv4)
        isIPv6 = false
    }
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
        isIPv6 = true
    }

    /// Reads `192.0.2.1` or `2001:db8::1`, without brackets and without a zone; nil for anything else.
    public init?(_ text: some StringProtocol) {
        let octets = Array(text.utf8)
        if octets.contains(UInt8(ascii: ":")) {
            guard let (high, low) = IPAddress.parseIPv6(octets) else { return nil }
            self.init(high: high, low: low)
        } else {
            guard let value = IPAddress.parseIPv4(octets[...]) else { return nil }
            self.init(ipv4: value)
        }
    }

    /// Bits in an address of this family.
    public var width: Int { isIPv6 ? 128 : 32 }

    /// 127.0.0.0/8 or ::1.
    public var isLoopback: Bool { isIPv6 ? high == 0 && low == 1 : low >> 24 == 127 }

    /// 0.0.0.0 or ::.
    public var isUnspecified: Bool { high == 0 && low == 0 }

    /// The IPv4 address in ::ffff:0:0/96 (RFC 4291 section 2.5.5.2); any other address as it is.
    public var unmapped: IPAddress {
        isIPv6 && high == 0 && low >> 32 == 0xffff ? IPAddress(ipv4: UInt32(truncatingIfNeeded: low)) : self
    }

    /// The address with all bits after the first `length` cleared.
    public func masked(to length: Int) -> IPAddress {
        guard length < width else { return self }
        if !isIPv6 {
            let mask: UInt32 = length <= 0 ? 0 : ~0 << (32 - UInt32(length))
            return IPAddress(ipv4: UInt32(truncatingIfNeeded: low) & mask)
        }
        let highMask: UInt64 = length <= 0 ? 0 : length >= 64 ? ~0 : ~0 << (64 - UInt64(length))
        let lowMask: UInt64 = length <= 64 ? 0 : ~0 << (128 - UInt64(length))
        return IPAddress(high: high & highMask, low: low & lowMask)
    }

    private static func parseIPv4(_ octets: ArraySlice<UInt8>) -> UInt32? {
        let parts = octets.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            // A leading zero means octal to some readers and decimal to others: refused.
            guard (1...3).contains(part.count), part.count == 1 || part.first != UInt8(ascii: "0") else { return nil }
            var octet: UInt32 = 0
            for digit in part {
                guard digit >= 0x30, digit <= 0x39 else { return nil }
                octet = octet * 10 + UInt32(digit - 0x30)
            }
            guard octet <= 255 else { return nil }
            value = value << 8 | octet
        }
        return value
    }

    private static func parseIPv6(_ octets: [UInt8]) -> (UInt64, UInt64)? {
        let colon = UInt8(ascii: ":")
        guard octets.count <= 45 else { return nil }
        var fields = octets.split(separator: colon, omittingEmptySubsequences: false)
        guard fields.count >= 3, fields.count <= 9 else { return nil }
        // `::` at either end gives two empty fields there; one of them is only the edge.
        if fields[0].isEmpty {
            guard fields[1].isEmpty else { return nil }
            fields.removeFirst()
        }
        if fields[fields.count - 1].isEmpty {
            guard fields[fields.count - 2].isEmpty else { return nil }
            if fields.count > 1 { fields.removeLast() }
        }
        var groups: [UInt16] = []
        var gap: Int?
        for (index, field) in fields.enumerated() {
            if field.isEmpty {
                guard gap == nil else { return nil }
                gap = groups.count
            } else if field.contains(UInt8(ascii: ".")) {
                guard index == fields.count - 1, let tail = parseIPv4(field) else { return nil }
                groups += [UInt16(tail >> 16), UInt16(tail & 0xffff)]
            } else {
                guard let group = parseGroup(field) else { return nil }
                groups.append(group)
            }
        }
        guard groups.count == 8 || (gap != nil && groups.count < 8) else { return nil }
        if let gap { groups.insert(contentsOf: repeatElement(0, count: 8 - groups.count), at: gap) }
        var halves: (UInt64, UInt64) = (0, 0)
        for (index, group) in groups.enumerated() {
            if index < 4 {
                halves.0 = halves.0 << 16 | UInt64(group)
            } else {
                halves.1 = halves.1 << 16 | UInt64(group)
            }
        }
        return halves
    }

    private static func parseGroup(_ field: ArraySlice<UInt8>) -> UInt16? {
        guard field.count <= 4 else { return nil }
        var value: UInt16 = 0
        for octet in field {
            let digit: UInt8
            switch octet {
            case 0x30...0x39: digit = octet - 0x30
            case 0x41...0x46: digit = octet - 0x41 + 10
            case 0x61...0x66: digit = octet - 0x61 + 10
            default: return nil
            }
            value = value << 4 | UInt16(digit)
        }
        return value
    }
}

extension IPAddress: CustomStringConvertible {
    /// RFC 5952: lower case, the longest run of zero groups as `::`.
    public var description: String {
        if !isIPv6 {
            return [24, 16, 8, 0].map { String((low >> UInt64($0)) & 255) }.joined(separator: ".")
        }
        let groups = (0..<8).map { index in
            let half = index < 4 ? high : low
            return UInt16(truncatingIfNeeded: half >> UInt64(48 - 16 * (index % 4)))
        }
        var best = 0..<0
        var start = 0
        while start < 8 {
            var end = start
            while end < 8, groups[end] == 0 { end += 1 }
            if end - start > best.count, end - start > 1 { best = start..<end }
            start = max(end, start + 1)
        }
        func text(_ part: ArraySlice<UInt16>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        if best.isEmpty { return text(groups[...]) }
        return text(groups[..<best.lowerBound]) + "::" + text(groups[best.upperBound...])
    }
}

/// An address with a port.
public struct AddressAndPort: Hashable, Sendable, CustomStringConvertible {
    public let address: IPAddress
    public let port: UInt16
    public init(address: IPAddress, port: UInt16) {
        self.address = address
        self.port = port
    }
    /// `192.0.2.1:53`, `[2001:db8::1]:53`.
    public var description: String { address.isIPv6 ? "[\(address)]:\(port)" : "\(address):\(port)" }
}

/// A CIDR block.
public struct AddressBlock: Hashable, Sendable, CustomStringConvertible {
    public let address: IPAddress
    public let prefixLength: Int
    public init(address: IPAddress, prefixLength: Int) {
        self.address = address
        self.prefixLength = prefixLength
    }
    public var description: String { "\(address)/\(prefixLength)" }
}
