// A block of client addresses, made ready to be compared with.
//
// The access list and the routes hold them. A block must never miss an IPv4 client because a dual-stack socket reported
// it as ::ffff:a.b.c.d: both sides are unmapped first (RFC 4291 2.5.5.2).

/// A CIDR block made ready: an address is inside when it is equal under the masks.
struct ClientBlock: Sendable {
    private let isIPv6: Bool
    private let high: UInt64
    private let low: UInt64
    private let highMask: UInt64
    private let lowMask: UInt64
    /// Bits that count, of 32 or 128. A longer one is the narrower among blocks of one family.
    let prefixLength: Int

    init(_ block: NetworkBlock) {
        let address = block.address.unmapped
        var length = block.prefixLength
        // A block of mapped addresses means the IPv4 addresses in it.
        if block.address.isIPv6, !address.isIPv6 { length -= 96 }
        isIPv6 = address.isIPv6
        let bits = max(0, min(length, isIPv6 ? 128 : 32))
        prefixLength = bits
        highMask = isIPv6 ? ClientBlock.mask(bits) : 0
        lowMask = isIPv6 ? ClientBlock.mask(bits - 64) : ClientBlock.mask(bits + 32)
        high = address.high & highMask
        low = address.low & lowMask
    }

    /// The upper `bits` bits of a word; 0 below 1, all above 63.
    private static func mask(_ bits: Int) -> UInt64 {
        bits <= 0 ? 0 : bits >= 64 ? .max : ~(UInt64.max >> UInt64(bits))
    }

    /// Whether an address that is not mapped (`NetworkAddress.unmapped`) lies in the block. The zone of a link-local
    /// address does not matter.
    @inline(__always)
    func contains(_ address: NetworkAddress) -> Bool {
        isIPv6 == address.isIPv6 && address.high & highMask == high && address.low & lowMask == low
    }
}
