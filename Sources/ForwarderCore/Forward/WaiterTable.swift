// The clients that wait for a question in flight: each keeps its own id, letter case, EDNS state and size.

/// A client in the list of a query.
struct Waiter {
    var query: ClientQuery
    /// Key of the client's prefix in the load table.
    var clientKey: UInt64
    /// When it began to wait.
    var since: Instant
    var next: Int32
}

/// All waiting clients of a worker, linked through slots.
struct WaiterTable {
    /// `server.max_inflight`, this worker's part.
    let limit: Int
    private(set) var count = 0
    private var slots: [Waiter] = []
    private var free: [Int32] = []

    init(limit: Int) { self.limit = limit }

    /// Puts a client before `next` in its query's list; nil at the limit.
    mutating func add(_ query: ClientQuery, clientKey: UInt64, since: Instant, before next: Int32) -> Int32? {
        guard count < limit else { return nil }
        count += 1
        let waiter = Waiter(query: query, clientKey: clientKey, since: since, next: next)
        if let slot = free.popLast() {
            slots[Int(slot)] = waiter
            return slot
        }
        slots.append(waiter)
        return Int32(slots.count - 1)
    }

    subscript(slot: Int32) -> Waiter { slots[Int(slot)] }

    /// Puts a waiter, taken out of a list, before another.
    mutating func link(_ slot: Int32, before next: Int32) { slots[Int(slot)].next = next }

    /// Removes a waiter; returns the one behind it.
    mutating func remove(_ slot: Int32) -> Int32 {
        free.append(slot)
        count -= 1
        return slots[Int(slot)].next
    }
}

/// How many queries of each client prefix wait: one greedy client must not take all places.
struct ClientLoad {
    private var table = WordTable(capacity: 256)

    func count(_ key: UInt64) -> Int { Int(table[key] ?? 0) }

    mutating func add(_ key: UInt64) { table.set(key, (table[key] ?? 0) + 1) }

    mutating func remove(_ key: UInt64) {
        guard let count = table[key] else { return }
        if count <= 1 { table.remove(key) } else { table.set(key, count - 1) }
    }

    /// A client's prefix as a key: the whole IPv4 address, the /56 of an IPv6 one (a household's).
    static func key(_ address: NetworkAddress) -> UInt64 {
        let plain = address.unmapped
        return plain.isIPv6 ? (plain.high & ~0xff) | 1 : plain.low << 8 | 0xff00_0000_0000_0000
    }
}
