// Folding a question's name to lower case, remembering its case, and hashing it, eight octets at a time.
//
// Intake calls both for every query; the cache's key and the table of questions in flight are made of the results.
// They must never look at more of the store than they were given. Length octets (1 to 63) lie below 'A', so that a
// name is folded without looking for its labels (RFC 4343: A-Z and nothing else).

/// Eight octets at once in a 64-bit word, octet 0 in the lowest bits.
enum EightOctets {
    static let lowBits: UInt64 = 0x0101_0101_0101_0101
    static let highBits: UInt64 = 0x8080_8080_8080_8080

    /// 0x80 in each octet of `word` that lies in `first...last` (both below 0x80).
    @inline(__always)
    static func between(_ word: UInt64, _ first: UInt8, _ last: UInt8) -> UInt64 {
        let seven = word & ~highBits
        let atLeast = seven &+ lowBits &* UInt64(0x80 &- first)
        let above = seven &+ lowBits &* UInt64(0x7f &- last)
        return atLeast & ~above & ~word & highBits
    }

    /// Bit i is set where octet i of `marks` is 0x80. The products never meet, so no carry spoils the top octet.
    @inline(__always)
    static func gather(_ marks: UInt64) -> UInt64 { ((marks >> 7) &* 0x0102_0408_1020_4080) >> 56 }

    /// The inverse: octet i is 0x80 where bit i of the lowest eight of `bits` is set.
    @inline(__always)
    static func spread(_ bits: UInt64) -> UInt64 {
        let single = ((bits & 0xff) &* lowBits) & 0x8040_2010_0804_0201
        return (single &+ ~highBits) & highBits | single & highBits
    }

    /// The mask of the lowest `count` octets, `count` in 1...8.
    @inline(__always)
    static func mask(_ count: Int) -> UInt64 { UInt64.max >> UInt64((8 &- count) &* 8) }

    /// `count` octets (1...8) at `offset`; what lies above them is 0.
    @inline(__always)
    static func load(_ store: borrowing ByteStore, _ offset: Int, _ count: Int) -> UInt64 {
        if offset <= store.capacity - 8 {
            return UInt64(littleEndian: store.load(offset, as: UInt64.self)) & mask(count)
        }
        var word: UInt64 = 0
        for i in 0..<count { word |= UInt64(store[offset + i]) << UInt64(i * 8) }
        return word
    }

    /// Writes the lowest `count` octets (1...8) of `word`.
    @inline(__always)
    static func store(_ word: UInt64, _ count: Int, into store: inout ByteStore, at offset: Int) {
        if count == 8 {
            store.store(word.littleEndian, at: offset)
        } else {
            for i in 0..<count { store[offset + i] = UInt8(truncatingIfNeeded: word >> UInt64(i * 8)) }
        }
    }
}

/// Copies the uncompressed name of `length` octets at `start` of `message` into `store`, A-Z folded (RFC 4343: nothing
/// else is), and returns which octets were upper-case. The caller has parsed the name.
public func foldName(
    _ message: Span<UInt8>, start: Int, length: Int, into store: inout ByteStore, at offset: Int
) -> CaseMask {
    var mask = CaseMask()
    store.copy(from: message, range: start..<start + length, to: offset)
    var i = 0
    while i < length {
        let count = min(8, length - i)
        let word = EightOctets.load(store, offset + i, count)
        let upper = EightOctets.between(word, UInt8(ascii: "A"), UInt8(ascii: "Z"))
        if upper != 0 {
            EightOctets.store(word | upper >> 2, count, into: &store, at: offset + i)
            let bits = EightOctets.gather(upper) << UInt64(i & 63)
            switch i >> 6 {
            case 0: mask.words.0 |= bits
            case 1: mask.words.1 |= bits
            case 2: mask.words.2 |= bits
            default: mask.words.3 |= bits
            }
        }
        i += 8
    }
    return mask
}

/// A keyed hash of `length` octets at `offset`; the seed is secret, so that nobody can aim at one bucket.
///
/// Sixteen octets a step, each step a 64 by 64 multiplication folded to 64 bits. Not cryptographic: without the seed no
/// collision can be made, and hashes never leave the machine. SipHash costs five times as much at this length.
public func hashName(_ store: borrowing ByteStore, _ offset: Int, _ length: Int, seed: (UInt64, UInt64)) -> UInt64 {
    var state = seed.0 ^ (UInt64(truncatingIfNeeded: length) &* 0x9e37_79b9_7f4a_7c15)
    var i = 0
    while i < length {
        let left = length - i
        let first = EightOctets.load(store, offset + i, min(8, left))
        let second = left > 8 ? EightOctets.load(store, offset + i + 8, min(8, left - 8)) : 0
        state = multiplyFold(first ^ seed.1, second ^ state)
        i += 16
    }
    return multiplyFold(state ^ 0xd6e8_feb8_6659_fd93, seed.0 ^ 0xa076_1d64_78bd_642f)
}

@inline(__always)
private func multiplyFold(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.high ^ product.low
}
