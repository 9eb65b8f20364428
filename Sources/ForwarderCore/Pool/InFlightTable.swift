// Which attempt an answer belongs to: (connection, id) -> attempt, or the tombstone of one that ended.
//
// A tombstone keeps an id from being reused and lets a late or duplicate answer be told from a forged one. Tombstones
// are bounded in time and number; the oldest is dropped first.

/// What stands under a connection and an id.
enum InFlightEntry: Equatable {
    case attempt(Int32)
    case tombstone
}

/// The table of one worker.
struct InFlightTable {
    /// Longer than any upstream takes to answer a query that we gave up (the deadline is 4 s).
    static let tombstoneLife = Interval.seconds(5)
    static let tombstoneLimit = 16_384
    private static let tombstone = UInt32.max

    private var table = WordTable(capacity: 1024)
    private var ring: [(key: UInt64, expiry: Instant)] = []
    private var oldest = 0
    private var buried = 0

    private static func key(_ connection: ConnectionID, _ id: UInt16) -> UInt64 {
        UInt64(connection.raw) << 16 | UInt64(id)
    }

    func find(_ connection: ConnectionID, _ id: UInt16) -> InFlightEntry? {
        guard let value = table[Self.key(connection, id)] else { return nil }
        return value == Self.tombstone ? .tombstone : .attempt(Int32(bitPattern: value))
    }

    /// Draws an id that is neither in flight nor buried on the connection and enters the attempt under it. nil after
    /// 64 draws: with so many in flight the connection is full.
    mutating func enter(_ attempt: Int32, on connection: ConnectionID, random: inout RandomSource) -> UInt16? {
        for _ in 0..<64 {
            let id = random.next16()
            let key = Self.key(connection, id)
            if table[key] == nil {
                table.set(key, UInt32(bitPattern: attempt))
                return id
            }
        }
        return nil
    }

    /// The attempt is over, but an answer may still come (late, or a duplicate).
    mutating func bury(_ connection: ConnectionID, _ id: UInt16, now: Instant) {
        let key = Self.key(connection, id)
        table.set(key, Self.tombstone)
        if ring.count < Self.tombstoneLimit {
            // Until it is full the ring is a list that starts at 0.
            ring.append((key, now + Self.tombstoneLife))
            buried += 1
            return
        }
        if buried == Self.tombstoneLimit { dropOldest() }
        ring[(oldest + buried) % Self.tombstoneLimit] = (key, now + Self.tombstoneLife)
        buried += 1
    }

    /// The connection is closed: nothing can come under this id any more.
    mutating func remove(_ connection: ConnectionID, _ id: UInt16) { table.remove(Self.key(connection, id)) }

    /// Drops tombstones whose time is over, a bounded number a call.
    mutating func expire(_ now: Instant) {
        var steps = 256
        while buried > 0, steps > 0, ring[oldest % ring.count].expiry <= now {
            dropOldest()
            steps -= 1
        }
        if buried == 0 && ring.count < Self.tombstoneLimit {
            ring.removeAll(keepingCapacity: true)
            oldest = 0
        }
    }

    private mutating func dropOldest() {
        let key = ring[oldest % ring.count].key
        if table[key] == Self.tombstone { table.remove(key) }
        oldest += 1
        if oldest >= Self.tombstoneLimit { oldest -= Self.tombstoneLimit }
        buried -= 1
    }

    var isEmpty: Bool { table.count == 0 }
}
