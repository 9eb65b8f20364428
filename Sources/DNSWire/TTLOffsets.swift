// Where the TTLs of an answer stand, so that they can be counted down in place.

/// The positions of the TTLs that count down, ascending.
public struct TTLOffsets: ~Copyable {
    /// The most records that an answer may have to be kept; more make it `tooManyRecords`.
    public static let limit = 4096
    var store = ByteStore(capacity: TTLOffsets.limit * 2)
    public internal(set) var count = 0
    public init() {}
    public subscript(index: Int) -> Int { Int(store.load(index * 2, as: UInt16.self)) }
    /// Adds a position; false at the limit.
    mutating func append(_ offset: Int) -> Bool {
        guard count < TTLOffsets.limit else { return false }
        store.store(UInt16(truncatingIfNeeded: offset), at: count * 2)
        count += 1
        return true
    }
    mutating func removeAll() { count = 0 }
}
