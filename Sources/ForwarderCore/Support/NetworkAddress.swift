// Addresses as plain values: the core compares and masks them, the runtime turns them into sockaddr.

/// An IPv4 or IPv6 address without a port.
public struct NetworkAddress: Hashable, Sendable {
    /// The 16 octets, most significant first; IPv4 is held in the low 32 bits of `low` with `high` 0.
    public var high: UInt64
    public var low: UInt64
    public var isIPv6: Bool
    /// Interface index of a link-local IPv6 address, else 0.
    public var scope: UInt32 = 0

    public init(ipv4: UInt32) {
        high = 0
        low = UInt64(ipv4)
        isIPv6 = false
    }
    public init(high: UInt64, low: UInt64, scope: UInt32 = 0) {
        self.high = high
        self.low = low
        self.isIPv6 = true
        self.scope = scope
    }

    /// 127.0.0.0/8, ::1 and the former mapped into IPv6.
    public var isLoopback: Bool {
        let plain = unmapped
        return plain.isIPv6 ? plain.high == 0 && plain.low == 1 : plain.low >> 24 == 127
    }

    /// An address that only this machine or its local networks use (RFC 1918, 3927, 4193, 4291, 6598): nobody beyond
    /// our own routers can be behind it.
    public var isLocal: Bool {
        let plain = unmapped
        if plain.isLoopback { return true }
        if plain.isIPv6 { return plain.high >> 57 == 0x7e || plain.high >> 54 == 0x3fa }
        return plain.low >> 24 == 10 || plain.low >> 20 == 0xac1 || plain.low >> 16 == 0xc0a8
            || plain.low >> 16 == 0xa9fe || plain.low >> 22 == 0x191
    }

    /// `::ffff:a.b.c.d`, as a dual-stack socket reports an IPv4 client, becomes a.b.c.d: an ACL for IPv4 must hold.
    public var unmapped: NetworkAddress {
        isIPv6 && high == 0 && low >> 32 == 0xffff ? NetworkAddress(ipv4: UInt32(truncatingIfNeeded: low)) : self
    }
}

/// An address and a port, as a peer of a socket.
public struct Endpoint: Hashable, Sendable {
    public var address: NetworkAddress
    public var port: UInt16
    public init(address: NetworkAddress, port: UInt16) {
        self.address = address
        self.port = port
    }
}
