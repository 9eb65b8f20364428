// From a key's hash to the places where its entry may lie: buckets of eight slots, one cache line each, no chains.
//
// A slot holds 32 bits of the hash and the entry's place; MessageCache compares the whole key before it believes one.
// A slot goes when its entry goes. Rejected: open addressing over the whole table, which needs tombstones or moves on
// each of the many removals; and a full hash a slot, which halves the slots of a line.

import DNSWire

/// Slots by hash. A slot is never 0 when in use: the place is kept plus one.
struct CacheIndex: ~Copyable {
    static let ways = 8
    static let bucketSize = 64
    private var table: LazyTable
    private let buckets: UInt64

    /// - Parameter capacity: in octets, at least one bucket.
    init(capacity: Int) {
        table = LazyTable(capacity: capacity)
        buckets = UInt64(capacity / CacheIndex.bucketSize)
    }

    var bytesInUse: Int { table.bytesInUse }

    /// The slot of an entry at `place`.
    static func slot(_ hash: UInt64, _ place: Int) -> UInt64 {
        hash << 32 | UInt64(truncatingIfNeeded: place / EntryStore.unit + 1) & 0xffff_ffff
    }

    /// The place that a slot names; nil for an empty one.
    static func place(_ slot: UInt64) -> Int? {
        let low = Int(slot & 0xffff_ffff)
        return low == 0 ? nil : (low - 1) * EntryStore.unit
    }

    static func hasTag(_ slot: UInt64, of hash: UInt64) -> Bool { slot >> 32 == hash & 0xffff_ffff }

    /// Offset of the bucket: from the hash's upper bits, the tag is its lower ones.
    func bucket(_ hash: UInt64) -> Int {
        Int(truncatingIfNeeded: hash.multipliedFullWidth(by: buckets).high) * CacheIndex.bucketSize
    }

    func isBlank(_ bucket: Int) -> Bool { table.isBlank(bucket) }

    func slot(_ bucket: Int, way: Int) -> UInt64 { table.load(bucket + way * 8, as: UInt64.self) }

    mutating func set(_ slot: UInt64, _ bucket: Int, way: Int) { table.store(slot, at: bucket + way * 8) }

    /// Puts `new` (0 = nothing) in the place of `old`. False when there is no `old`.
    @discardableResult
    mutating func replace(_ old: UInt64, _ new: UInt64, hash: UInt64) -> Bool {
        let bucket = bucket(hash)
        for way in 0..<CacheIndex.ways where slot(bucket, way: way) == old {
            set(new, bucket, way: way)
            return true
        }
        return false
    }
}
