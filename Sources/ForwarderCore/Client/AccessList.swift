// server.allow and server.deny: looked at before anything else of a query.
//
// The engine asks it for every datagram and every connection of a client. It must never let an IPv4 client pass by a
// rule for IPv6 because a dual-stack socket reported it as ::ffff:a.b.c.d.

/// Who may ask. `deny` wins over `allow`; who is in neither may not. An empty `allow` allows nobody.
public struct AccessList: Sendable {
    /// A block made ready: an address is inside when it is equal under the masks.
    private struct Block {
        let isIPv6: Bool
        let high: UInt64
        let low: UInt64
        let highMask: UInt64
        let lowMask: UInt64

        init(_ block: NetworkBlock) {
            let address = block.address.unmapped
            var length = block.prefixLength
            // A block of mapped addresses means the IPv4 addresses in it.
            if block.address.isIPv6, !address.isIPv6 { length -= 96 }
            isIPv6 = address.isIPv6
            let bits = max(0, min(length, isIPv6 ? 128 : 32))
            highMask = isIPv6 ? Block.mask(bits) : 0
            lowMask = isIPv6 ? Block.mask(bits - 64) : Block.mask(bits + 32)
            high = address.high & highMask
            low = address.low & lowMask
        }

        /// The upper `bits` bits of a word; 0 below 1, all above 63.
        private static func mask(_ bits: Int) -> UInt64 {
            bits <= 0 ? 0 : bits >= 64 ? .max : ~(UInt64.max >> UInt64(bits))
        }

        func contains(_ address: NetworkAddress) -> Bool {
            isIPv6 == address.isIPv6 && address.high & highMask == high && address.low & lowMask == low
        }
    }

    private let allowed: [Block]
    private let denied: [Block]

    public init(allow: [NetworkBlock], deny: [NetworkBlock]) {
        allowed = allow.map(Block.init)
        denied = deny.map(Block.init)
    }

    /// Whether a client of this address may ask. The zone of a link-local address does not matter.
    public func allows(_ address: NetworkAddress) -> Bool {
        let plain = address.unmapped
        for block in denied where block.contains(plain) { return false }
        for block in allowed where block.contains(plain) { return true }
        return false
    }
}
