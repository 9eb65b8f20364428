// A hashed timer wheel: one timer for each query, connection and upstream, set and cancelled in constant time.
//
// Entries are linked through arrays by timer number, so that nothing is allocated for a timer. Deadlines further away
// than one turn (4.1 s) stay in their bucket and are looked at once a turn. Time is whatever `now` says: after a
// suspend every overdue bucket is served in one call.

/// What a timer belongs to.
enum TimerKind: Int {
    case query = 0
    case connection = 1
    case upstream = 2
}

/// The number of a timer: kind and slot.
struct TimerID: Equatable {
    let raw: Int
    init(_ kind: TimerKind, _ slot: Int) { raw = slot << 2 | kind.rawValue }
    init(raw: Int) { self.raw = raw }
    var kind: TimerKind? { TimerKind(rawValue: raw & 3) }
    var slot: Int { raw >> 2 }
}

/// The wheel.
struct TimerWheel {
    /// 4 ms: finer than any timeout's meaning, coarse enough that a busy second costs 250 steps.
    static let tick: Int64 = 4_000_000
    static let buckets = 1024
    private static let none: Int32 = -1

    private var heads = [Int32](repeating: TimerWheel.none, count: TimerWheel.buckets)
    private var occupied = [UInt64](repeating: 0, count: TimerWheel.buckets / 64)
    private var next: [Int32] = []
    private var previous: [Int32] = []
    private var deadlines: [Int64] = []
    /// Bucket of a set timer, `none` when it is not set.
    private var bucketOf: [Int32] = []
    /// The last tick that was served.
    private var served: Int64
    private(set) var count = 0

    init(now: Instant) { served = now.nanoseconds / TimerWheel.tick }

    /// When the timer is due; nil when it is not set.
    func deadline(of id: TimerID) -> Instant? {
        guard id.raw < bucketOf.count, bucketOf[id.raw] != Self.none else { return nil }
        return Instant(nanoseconds: deadlines[id.raw])
    }

    /// Sets or moves a timer. A deadline in the past is due at the next call of `collectDue`.
    mutating func schedule(_ id: TimerID, at deadline: Instant) {
        grow(to: id.raw)
        if bucketOf[id.raw] != Self.none {
            if deadlines[id.raw] == deadline.nanoseconds { return }
            unlink(id.raw)
        }
        let due = max((deadline.nanoseconds + Self.tick - 1) / Self.tick, served + 1)
        let bucket = Int(due) & (Self.buckets - 1)
        deadlines[id.raw] = deadline.nanoseconds
        bucketOf[id.raw] = Int32(bucket)
        previous[id.raw] = Self.none
        next[id.raw] = heads[bucket]
        if heads[bucket] != Self.none { previous[Int(heads[bucket])] = Int32(id.raw) }
        heads[bucket] = Int32(id.raw)
        occupied[bucket >> 6] |= 1 << UInt64(bucket & 63)
        count += 1
    }

    mutating func cancel(_ id: TimerID) {
        guard id.raw < bucketOf.count, bucketOf[id.raw] != Self.none else { return }
        unlink(id.raw)
    }

    /// Takes every timer that is due out of the wheel and appends its number.
    mutating func collectDue(_ now: Instant, into due: inout [Int]) {
        let target = now.nanoseconds / Self.tick
        guard target > served else { return }
        // More than one turn behind (a suspend): each bucket once is enough.
        var tick = max(served + 1, target - Int64(Self.buckets) + 1)
        served = target
        while tick <= target {
            let bucket = Int(tick) & (Self.buckets - 1)
            if occupied[bucket >> 6] & (1 << UInt64(bucket & 63)) != 0 { collect(bucket, now, into: &due) }
            tick += 1
        }
    }

    private mutating func collect(_ bucket: Int, _ now: Instant, into due: inout [Int]) {
        var entry = heads[bucket]
        while entry != Self.none {
            let following = next[Int(entry)]
            if deadlines[Int(entry)] <= now.nanoseconds {
                unlink(Int(entry))
                due.append(Int(entry))
            }
            entry = following
        }
    }

    /// A time at or before the earliest deadline, never before `now`; nil when no timer is set.
    func earliest(after now: Instant) -> Instant? {
        guard count > 0 else { return nil }
        let start = served + 1
        var distance: Int64 = 0
        while distance < Int64(Self.buckets) {
            let bucket = Int(start + distance) & (Self.buckets - 1)
            let word = occupied[bucket >> 6] >> UInt64(bucket & 63)
            if word != 0 {
                let tick = start + distance + Int64(word.trailingZeroBitCount)
                return max(now, Instant(nanoseconds: tick * Self.tick))
            }
            distance += Int64(64 - (bucket & 63))
        }
        return max(now, Instant(nanoseconds: (start + Int64(Self.buckets)) * Self.tick))
    }

    private mutating func unlink(_ raw: Int) {
        let bucket = Int(bucketOf[raw])
        let before = previous[raw]
        let after = next[raw]
        if before != Self.none { next[Int(before)] = after } else { heads[bucket] = after }
        if after != Self.none { previous[Int(after)] = before }
        if heads[bucket] == Self.none { occupied[bucket >> 6] &= ~(1 << UInt64(bucket & 63)) }
        bucketOf[raw] = Self.none
        count -= 1
    }

    private mutating func grow(to raw: Int) {
        guard raw >= bucketOf.count else { return }
        let size = max(256, raw + 1, bucketOf.count * 2)
        let more = size - bucketOf.count
        next.append(contentsOf: repeatElement(Self.none, count: more))
        previous.append(contentsOf: repeatElement(Self.none, count: more))
        deadlines.append(contentsOf: repeatElement(0, count: more))
        bucketOf.append(contentsOf: repeatElement(Self.none, count: more))
    }
}
