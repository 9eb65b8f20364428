// The bytes of a shard's entries and the fields of an entry's header. Only MessageCache and EntryRing touch it.
//
// An entry is a header of 24 octets and a packed answer, rounded up to 16. The header's first eight octets say how to
// pass over it, so that also the smallest left-over gap can be marked. Times are whole seconds that may wrap.
// An entry that has ended may be given for a while longer (RFC 8767 4), which `standing` tells.

import DNSWire

/// What an entry is good for, the least first.
enum Standing: Int {
    /// Nothing.
    case ended
    /// An answer for when no fresh one can be had.
    case stale
    case fresh
}

/// Entries in one block of memory; offsets are multiples of `unit`.
struct EntryStore: ~Copyable {
    static let unit = 16
    static let headerSize = 24
    static let highestFrequency: UInt8 = 3

    static let kindMask: UInt8 = 0x03
    static let dnssecBit: UInt8 = 0x04
    static let checkingBit: UInt8 = 0x08
    private static let frequencyOffset = 3
    private static let groupOffset = 4
    private static let popularityOffset = 6
    private static let hashOffset = 8
    private static let storedOffset = 16
    private static let lifetimeOffset = 20
    /// Its refresh was asked for.
    private static let askedBit: UInt16 = 0x8000

    var bytes: ByteStore

    init(capacity: Int) { bytes = ByteStore(capacity: capacity) }

    /// Octets that an answer of `length` takes.
    static func size(ofAnswer length: Int) -> Int { (headerSize + length + unit - 1) / unit * unit }

    func size(_ entry: Int) -> Int { Int(bytes.load(entry, as: UInt16.self)) * EntryStore.unit }

    func kind(_ entry: Int) -> EntryKind { EntryKind(rawValue: bytes[entry + 2] & EntryStore.kindMask) ?? .dead }

    /// DO and CD of its key.
    func flags(_ entry: Int) -> UInt8 { bytes[entry + 2] & (EntryStore.dnssecBit | EntryStore.checkingBit) }

    func group(_ entry: Int) -> UInt16 { bytes.load(entry + EntryStore.groupOffset, as: UInt16.self) }

    func frequency(_ entry: Int) -> UInt8 { bytes[entry + EntryStore.frequencyOffset] }

    mutating func setFrequency(_ value: UInt8, _ entry: Int) { bytes[entry + EntryStore.frequencyOffset] = value }

    /// Notes a hit. Writing only while it changes keeps the line of a hot entry clean for the other workers.
    mutating func noteHit(_ entry: Int) {
        let frequency = frequency(entry)
        if frequency < EntryStore.highestFrequency { setFrequency(frequency + 1, entry) }
    }

    /// Notes a hit of an entry that may be refreshed, and tells whether it is to be refreshed now: once. Counting stops
    /// where it suffices, for the reason above.
    @inline(__always)
    mutating func becomesDue(_ entry: Int, age: UInt32, lifetime: UInt32, _ rule: PrefetchRule) -> Bool {
        let place = entry + EntryStore.popularityOffset
        var popularity = bytes.load(place, as: UInt16.self)
        if popularity < rule.hits {
            popularity &+= 1
            bytes.store(popularity, at: place)
        }
        guard popularity == rule.hits, rule.isLate(age, of: lifetime) else { return false }
        bytes.store(popularity | EntryStore.askedBit, at: place)
        return true
    }

    func hash(_ entry: Int) -> UInt64 { bytes.load(entry + EntryStore.hashOffset, as: UInt64.self) }
    func stored(_ entry: Int) -> UInt32 { bytes.load(entry + EntryStore.storedOffset, as: UInt32.self) }
    func lifetime(_ entry: Int) -> UInt32 { bytes.load(entry + EntryStore.lifetimeOffset, as: UInt32.self) }

    /// Seconds since it was stored. Workers read the clock once a wakeup, so one may be a little behind another.
    func age(_ entry: Int, now: UInt32) -> UInt32 {
        let age = now &- stored(entry)
        return Int32(bitPattern: age) < 0 ? 0 : age
    }

    func isFresh(_ entry: Int, now: UInt32) -> Bool { age(entry, now: now) < lifetime(entry) }

    /// What the entry is good for when answers may be given for `window` seconds past their end. The age counts from
    /// the end. A failure that has ended is no answer.
    func standing(_ entry: Int, now: UInt32, window: UInt32) -> Standing {
        let age = UInt64(age(entry, now: now))
        let lifetime = UInt64(lifetime(entry))
        if age < lifetime { return .fresh }
        return age < lifetime + UInt64(window) && kind(entry) != .failure ? .stale : .ended
    }

    /// Marks `size` octets as holding nothing.
    mutating func markDead(_ entry: Int, size: Int) {
        bytes.store(UInt16(truncatingIfNeeded: size / EntryStore.unit), at: entry)
        bytes[entry + 2] = EntryKind.dead.rawValue
    }

    /// Writes an entry of `size` octets with the answer in `packed`.
    mutating func write(
        _ entry: Int, size: Int, _ key: CacheKey, _ kind: EntryKind, _ answer: PackedAnswer,
        _ packed: borrowing ByteStore, lifetime: UInt32, frequency: UInt8, now: UInt32
    ) {
        bytes.store(UInt16(truncatingIfNeeded: size / EntryStore.unit), at: entry)
        bytes[entry + 2] = kind.rawValue | key.flags
        bytes.store(key.group, at: entry + EntryStore.groupOffset)
        bytes.store(key.hash(kind), at: entry + EntryStore.hashOffset)
        bytes.copy(from: packed, range: 0..<answer.length, to: entry + EntryStore.headerSize)
        renew(entry, lifetime: lifetime, frequency: frequency, now: now)
    }

    private mutating func renew(_ entry: Int, lifetime: UInt32, frequency: UInt8, now: UInt32) {
        bytes.store(now, at: entry + EntryStore.storedOffset)
        bytes.store(lifetime, at: entry + EntryStore.lifetimeOffset)
        bytes.store(UInt16(0), at: entry + EntryStore.popularityOffset)
        setFrequency(frequency, entry)
    }

    /// Whether the entry is of this very key: every part is compared, the name octet by octet.
    func matches(_ entry: Int, _ key: CacheKey, _ kind: EntryKind, name: borrowing ByteStore) -> Bool {
        guard bytes[entry + 2] == kind.rawValue | key.flags,
            bytes.load(entry + EntryStore.groupOffset, as: UInt16.self) == key.group
        else { return false }
        let block = entry + EntryStore.headerSize
        let question = block + PackedHead.messageOffset + Header.size
        guard PackedHead.nameLength(bytes, at: block) == key.nameLength,
            bytes.load16(question + key.nameLength + 2) == key.recordClass,
            kind == .nameError || bytes.load16(question + key.nameLength) == key.type
        else { return false }
        return bytes.equals(question, name, key.nameOffset, count: key.nameLength)
    }
}
