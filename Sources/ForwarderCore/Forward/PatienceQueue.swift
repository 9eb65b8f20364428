// The queries in flight in the order of their opening: at `max_inflight` the oldest, that no client waits for any more,
// gives way to a new one.
//
// The engine appends each query that it opens and asks for the oldest when there is no place. A query that was answered
// meanwhile stays in the queue until it comes to the head or the queue is swept: closing costs nothing. It must never
// name a query that is closed, nor one that reuses the slot of an older one; slot and generation tell.

/// A ring of (slot, generation, beginning). The table of queries is lent to each call: a closure that looks into it
/// would overlap with the change of this queue, for both belong to the engine.
struct PatienceQueue: Sendable {
    private struct Entry {
        var slot: Int32
        var generation: UInt32
        var startedAt: Instant
    }

    /// Entries that the ring may hold: twice as many as queries can be open, so that every sweep frees half of it.
    private let limit: Int
    private var ring: [Entry] = []
    private var head = 0
    private(set) var count = 0

    /// - Parameter limit: the most queries that are open at one time.
    init(limit: Int) { self.limit = max(1, limit) * 2 }

    /// Notes the query that was just opened in `slot`, its `startedAt` set. Amortised constant time: a full ring is
    /// swept of closed queries first, and at the limit at least half of its entries are.
    mutating func append(_ slot: Int, of queries: borrowing QueryTable) {
        if count == ring.count {
            sweep(queries)
            if count > ring.count / 2 || ring.isEmpty { grow() }
            // More open queries than the limit allows: the newest is not noted, and so never given up early.
            if count == ring.count { return }
        }
        ring[(head + count) % ring.count] = Entry(
            slot: Int32(truncatingIfNeeded: slot), generation: queries.slots[slot].generation,
            startedAt: queries.slots[slot].startedAt)
        count += 1
    }

    /// Takes out the oldest open query if it is older than `limit`, and returns its slot; else nil, and it stays.
    /// Closed ones on the way are forgotten.
    mutating func popOldest(olderThan limit: Interval, now: Instant, of queries: borrowing QueryTable) -> Int? {
        while count > 0 {
            let entry = ring[head]
            let isOpen = PatienceQueue.isOpen(entry, in: queries)
            if isOpen, now - entry.startedAt <= limit { return nil }
            head = (head + 1) % ring.count
            count -= 1
            if isOpen { return Int(entry.slot) }
        }
        return nil
    }

    private static func isOpen(_ entry: Entry, in queries: borrowing QueryTable) -> Bool {
        let slot = Int(entry.slot)
        return slot >= 0 && slot < queries.slots.count && queries.slots[slot].isOpen
            && queries.slots[slot].generation == entry.generation
    }

    /// Moves the open queries together, in their order.
    private mutating func sweep(_ queries: borrowing QueryTable) {
        var kept = 0
        for place in 0..<count {
            let entry = ring[(head + place) % ring.count]
            guard PatienceQueue.isOpen(entry, in: queries) else { continue }
            ring[(head + kept) % ring.count] = entry
            kept += 1
        }
        count = kept
    }

    /// Doubles the ring, up to the limit, the oldest entry first.
    private mutating func grow() {
        let size = min(limit, max(64, ring.count * 2))
        guard size > ring.count else { return }
        var bigger: [Entry] = []
        bigger.reserveCapacity(size)
        for place in 0..<count { bigger.append(ring[(head + place) % ring.count]) }
        let none = Entry(slot: -1, generation: 0, startedAt: Instant(nanoseconds: 0))
        while bigger.count < size { bigger.append(none) }
        ring = bigger
        head = 0
    }
}
