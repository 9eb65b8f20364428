// Tombstones in the order of their burial: bounded in time and number, the oldest goes first.

/// A queue of in-flight keys that must not be reused yet.
struct TombstoneRing {
    let life: Interval
    let limit: Int
    private var entries: [(key: UInt64, expiry: Instant)] = []
    private var oldest = 0
    private(set) var count = 0

    init(life: Interval, limit: Int) {
        self.life = life
        self.limit = limit
    }

    /// Adds a key. Returns the one that had to make room for it, if any.
    mutating func append(_ key: UInt64, now: Instant) -> UInt64? {
        let entry = (key: key, expiry: now + life)
        if entries.count < limit {
            // Until it has grown to its limit the ring is a list.
            entries.append(entry)
            count += 1
            return nil
        }
        let dropped = count == limit ? popOldest() : nil
        entries[(oldest + count) % limit] = entry
        count += 1
        return dropped
    }

    /// Takes out the oldest key if its time is over.
    mutating func popExpired(_ now: Instant) -> UInt64? {
        guard count > 0, entries[oldest].expiry <= now else { return nil }
        return popOldest()
    }

    private mutating func popOldest() -> UInt64? {
        guard count > 0 else { return nil }
        let key = entries[oldest].key
        oldest = (oldest + 1) % limit
        count -= 1
        if count == 0 && entries.count < limit {
            entries.removeAll(keepingCapacity: true)
            oldest = 0
        }
        return key
    }
}
