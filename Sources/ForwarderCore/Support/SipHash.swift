// SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash that tells nothing of its key, for short messages.
//
// Server cookies are made with it (RFC 9018 4.4), and keys are derived from one secret. The tables inside use cheaper
// hashes, whose values never leave the machine. Its key must never be anything but a secret from the system.

/// The generator of 64-bit authentication codes.
struct SipHash: Sendable {
    private var v0: UInt64
    private var v1: UInt64
    private var v2: UInt64
    private var v3: UInt64
    private var length: UInt64 = 0

    /// - Parameter key: 16 octets as two words, each read with its lowest octet first.
    @inline(__always)
    init(key: (UInt64, UInt64)) {
        v0 = key.0 ^ 0x736f_6d65_7073_6575
        v1 = key.1 ^ 0x646f_7261_6e64_6f6d
        v2 = key.0 ^ 0x6c79_6765_6e65_7261
        v3 = key.1 ^ 0x7465_6462_7974_6573
    }

    /// Takes eight octets, the first in the lowest bits.
    @inline(__always)
    mutating func append(_ word: UInt64) {
        length &+= 8
        compress(word)
    }

    /// The code of all that was appended and of the last `count` (0...7) octets: `rest` has the first of them in its
    /// lowest bits.
    @inline(__always)
    mutating func finish(rest: UInt64 = 0, count: Int = 0) -> UInt64 {
        let bits = UInt64(count & 7) * 8
        compress(rest & ~(UInt64.max << bits) | (length &+ UInt64(count & 7)) << 56)
        v2 ^= 0xff
        for _ in 0..<4 { round() }
        return v0 ^ v1 ^ v2 ^ v3
    }

    @inline(__always)
    private mutating func compress(_ word: UInt64) {
        v3 ^= word
        round()
        round()
        v0 ^= word
    }

    @inline(__always)
    private mutating func round() {
        v0 &+= v1
        v2 &+= v3
        v1 = SipHash.rotate(v1, 13) ^ v0
        v3 = SipHash.rotate(v3, 16) ^ v2
        v0 = SipHash.rotate(v0, 32)
        v2 &+= v1
        v0 &+= v3
        v1 = SipHash.rotate(v1, 17) ^ v2
        v3 = SipHash.rotate(v3, 21) ^ v0
        v2 = SipHash.rotate(v2, 32)
    }

    @inline(__always)
    private static func rotate(_ value: UInt64, _ by: UInt64) -> UInt64 { value << by | value >> (64 - by) }
}
