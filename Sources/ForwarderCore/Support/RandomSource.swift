// Randomness inside the core: ChaCha20 (RFC 8439) run as a generator over a seed that the runtime takes from the
// kernel.
//
// Ids, letter case, cookies and socket picks come from here. A system call for each would cost 255 ns and would make
// the core impure; a seeded stream replays. It must never be seeded from a clock or a counter (RFC 5452 9.2).

/// A cryptographic generator with 64 octets of output buffered.
public struct RandomSource: ~Copyable {
    private var state: [16 of UInt32]
    private var block: [16 of UInt32]
    private var used = 16

    /// - Parameter seed: the key. 32 octets from the kernel in production, anything in tests; missing octets are 0.
    public init(seed: [UInt8]) {
        state = .init(repeating: 0)
        block = .init(repeating: 0)
        state[0] = 0x6170_7865
        state[1] = 0x3320_646e
        state[2] = 0x7962_2d32
        state[3] = 0x6b20_6574
        for (index, octet) in seed.prefix(32).enumerated() {
            state[4 + index / 4] |= UInt32(octet) << UInt32(8 * (index % 4))
        }
    }

    /// For the generator's own test against RFC 8439 2.3.2: block `counter` under `nonce`.
    init(key: [UInt8], counter: UInt32, nonce: (UInt32, UInt32, UInt32)) {
        self.init(seed: key)
        state[12] = counter
        state[13] = nonce.0
        state[14] = nonce.1
        state[15] = nonce.2
    }

    public mutating func next32() -> UInt32 {
        if used == 16 { refill() }
        defer { used += 1 }
        return block[used]
    }

    public mutating func next16() -> UInt16 { UInt16(truncatingIfNeeded: next32()) }

    public mutating func next64() -> UInt64 { UInt64(next32()) << 32 | UInt64(next32()) }

    /// A number in `0..<bound`, without bias worth speaking of (bound is far below 2^32). 0 for a bound of 0 or 1.
    public mutating func below(_ bound: Int) -> Int {
        guard bound > 1 else { return 0 }
        return Int((UInt64(next32()) &* UInt64(UInt32(truncatingIfNeeded: bound))) >> 32)
    }

    private mutating func refill() {
        var x = state
        for _ in 0..<10 {
            Self.quarterRound(&x, 0, 4, 8, 12)
            Self.quarterRound(&x, 1, 5, 9, 13)
            Self.quarterRound(&x, 2, 6, 10, 14)
            Self.quarterRound(&x, 3, 7, 11, 15)
            Self.quarterRound(&x, 0, 5, 10, 15)
            Self.quarterRound(&x, 1, 6, 11, 12)
            Self.quarterRound(&x, 2, 7, 8, 13)
            Self.quarterRound(&x, 3, 4, 9, 14)
        }
        for index in 0..<16 { block[index] = x[index] &+ state[index] }
        // A 64-bit counter over words 12 and 13: the nonce's first word is part of it, as in djb's ChaCha.
        state[12] &+= 1
        if state[12] == 0 { state[13] &+= 1 }
        used = 0
    }

    @inline(__always)
    private static func quarterRound(_ x: inout [16 of UInt32], _ a: Int, _ b: Int, _ c: Int, _ d: Int) {
        x[a] &+= x[b]
        x[d] = rotate(x[d] ^ x[a], 16)
        x[c] &+= x[d]
        x[b] = rotate(x[b] ^ x[c], 12)
        x[a] &+= x[b]
        x[d] = rotate(x[d] ^ x[a], 8)
        x[c] &+= x[d]
        x[b] = rotate(x[b] ^ x[c], 7)
    }

    @inline(__always)
    private static func rotate(_ value: UInt32, _ by: UInt32) -> UInt32 { value << by | value >> (32 - by) }
}
