// A queue of entries in one stretch of memory: appended at the head, given up at the tail, no free lists, no holes.
//
// It only reckons with positions; the entries lie in an EntryStore. An entry never wraps: what is left at the end of
// the stretch is marked dead. MessageCache owns two of them and must make room before it claims any.

import DNSWire

/// A first-in first-out stretch `base ..< base + capacity` of an EntryStore.
struct EntryRing {
    let base: Int
    let capacity: Int
    private var head = 0
    private var front = 0
    /// Octets between tail and head, left-over gaps included.
    private(set) var used = 0
    /// Octets given up at the tail so far. Counted from it the places of a ring have numbers that stay, so that the
    /// snapshot finds its place again after it let go of the lock.
    private(set) var dropped: UInt64 = 0

    init(base: Int, capacity: Int) {
        self.base = base
        self.capacity = capacity
    }

    var isEmpty: Bool { used == 0 }
    /// The oldest entry.
    var tail: Int { base + front }

    /// Where the octet stands that lies `distance` behind the tail; `distance` is less than `used`.
    func place(behindTail distance: Int) -> Int {
        let place = front + distance
        return base + (place < capacity ? place : place - capacity)
    }

    /// Whether `size` octets can be claimed now.
    func fits(_ size: Int) -> Bool { used + cost(size) <= capacity }

    /// What claiming `size` takes: also the gap at the end when it does not fit before it.
    private func cost(_ size: Int) -> Int { size <= capacity - head ? size : capacity - head + size }

    /// Claims `size` octets at the head. The caller has asked `fits`.
    mutating func claim(_ size: Int, in store: inout EntryStore) -> Int {
        let cost = cost(size)
        if cost > size {
            if capacity > head { store.markDead(base + head, size: capacity - head) }
            head = 0
        }
        let entry = base + head
        head += size
        if head == capacity { head = 0 }
        used += cost
        return entry
    }

    /// Gives up the oldest entry, of `size` octets.
    mutating func dropTail(_ size: Int) {
        used -= size
        dropped &+= UInt64(truncatingIfNeeded: size)
        front += size
        if front == capacity { front = 0 }
        if used == 0 {
            head = 0
            front = 0
        }
    }

    /// Moves the oldest entry to the head. It always fits: the space that it leaves adjoins the free space, or is all
    /// that lies between tail and end.
    mutating func moveTailToHead(_ size: Int, in store: inout EntryStore) -> Int {
        let from = tail
        // `dropTail` would begin an emptied ring anew, and the claim then not lie where the entry lay.
        used -= size
        dropped &+= UInt64(truncatingIfNeeded: size)
        front += size
        if front == capacity { front = 0 }
        let entry = claim(size, in: &store)
        if entry != from { store.bytes.move(from..<from + size, to: entry) }
        if used == size { front = entry - base }
        return entry
    }
}
