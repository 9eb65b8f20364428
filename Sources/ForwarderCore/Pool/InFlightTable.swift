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
    /// Of an answered query: duplicates come at once or never.
    static let answeredLife = Interval.seconds(5)
    static let answeredLimit = 16_384
    /// Of one that was given up: recursive servers say SERVFAIL after up to half a minute. Kept apart, so that a busy
    /// second of answered ones does not push them out.
    static let abandonedLife = Interval.seconds(40)
    static let abandonedLimit = 16_384
    private static let tombstone = UInt32.max

    private var table = WordTable(capacity: 1024)
    private var answered = TombstoneRing(life: answeredLife, limit: answeredLimit)
    private var abandoned = TombstoneRing(life: abandonedLife, limit: abandonedLimit)

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

    /// The attempt is over, but an answer may still come: late, or a duplicate of the one that came.
    mutating func bury(_ connection: ConnectionID, _ id: UInt16, isAnswered: Bool, now: Instant) {
        let key = Self.key(connection, id)
        table.set(key, Self.tombstone)
        let dropped = isAnswered ? answered.append(key, now: now) : abandoned.append(key, now: now)
        if let dropped { dig(dropped) }
    }

    /// The connection is closed: nothing can come under this id any more.
    mutating func remove(_ connection: ConnectionID, _ id: UInt16) { table.remove(Self.key(connection, id)) }

    /// Drops tombstones whose time is over, a bounded number a call.
    mutating func expire(_ now: Instant) {
        for _ in 0..<256 {
            let first = answered.popExpired(now)
            let second = abandoned.popExpired(now)
            if first == nil && second == nil { return }
            if let first { dig(first) }
            if let second { dig(second) }
        }
    }

    private mutating func dig(_ key: UInt64) {
        if table[key] == Self.tombstone { table.remove(key) }
    }

    var isEmpty: Bool { table.count == 0 }
}
