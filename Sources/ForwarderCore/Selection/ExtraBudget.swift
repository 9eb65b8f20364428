// How many extra queries an upstream may cause: retransmits, hedges, refreshes and prefetches share one budget.
//
// Without one, every way of being helpful is a way of striking an upstream that is already down: each client's query
// becomes several just when it can answer none. The engine tells of each first sending and asks before each extra one.
// Whole numbers only; time may stand still, go back or jump by hours (suspend): a jump fills the budget, no more.

/// The budget of one upstream: a tenth of the first sendings, and a floor for upstreams that are asked little.
struct ExtraBudget {
    /// Extra queries for a hundred first ones.
    static let percent = 10
    /// Extra queries a second, whatever is sent: one client's few queries must survive a lossy network.
    static let floorPerSecond = 25
    /// What was not used is kept for so long.
    static let window = Interval.seconds(10)
    /// The smallest capacity, and what is there at the start: a window of the floor.
    static let leastCapacity = 250
    /// A worker's part of the floor is no smaller than this.
    private static let leastFloor = 3

    /// One query, in the thousandths that the balance is kept in.
    private static let query = 1_000
    /// A thousandth of a query accrues from the floor in this time.
    private let tick: Int64
    private let leastCapacity: Int
    private static let halfWindow = window.nanoseconds / 2

    private var balance: Int
    private var refilledAt: Instant?
    private var halfBeganAt = Instant(nanoseconds: 0)
    /// First sendings in the half window that runs, and in the one before it.
    private var firsts = 0
    private var firstsBefore = 0
    private var grantedCounts = [4 of UInt64](repeating: 0)
    private var deniedCounts = [4 of UInt64](repeating: 0)

    /// - Parameter workers: the floor is the process's, and shared out.
    init(workers: Int = 1) {
        let floor = max(Self.leastFloor, Self.floorPerSecond / max(workers, 1))
        tick = 1_000_000_000 / Int64(Self.query * floor)
        leastCapacity = Self.leastCapacity * floor / Self.floorPerSecond
        balance = leastCapacity * Self.query
    }

    /// Since the start.
    func granted(_ kind: ExtraKind) -> UInt64 { grantedCounts[kind.rawValue] }
    func denied(_ kind: ExtraKind) -> UInt64 { deniedCounts[kind.rawValue] }

    /// A query was sent for the first time.
    mutating func noteFirst() {
        firsts &+= 1
        balance = min(balance + Self.query * Self.percent / 100, capacity)
    }

    /// Whether an extra query may be sent now; if so, it is paid for.
    mutating func take(_ kind: ExtraKind, _ now: Instant) -> Bool {
        refill(now)
        guard balance >= reserve(kind) + Self.query else {
            deniedCounts[kind.rawValue] &+= 1
            return false
        }
        balance -= Self.query
        grantedCounts[kind.rawValue] &+= 1
        return true
    }

    /// What must be left for the more important kinds: prefetching as much as it can never keeps a lost datagram from
    /// being sent again.
    private func reserve(_ kind: ExtraKind) -> Int {
        switch kind {
        case .retransmit: 0
        case .hedge, .refresh: capacity / 4
        case .prefetch: capacity / 2
        }
    }

    private var capacity: Int {
        max(leastCapacity, (firsts &+ firstsBefore) * Self.percent / 100) * Self.query
    }

    private mutating func refill(_ now: Instant) {
        guard let last = refilledAt, now >= last else {
            // The first time, or the clock went back: nobody knows over which time the first sendings were counted.
            refilledAt = now
            halfBeganAt = now
            firsts = 0
            firstsBefore = 0
            balance = min(balance, capacity)
            return
        }
        let half = (now - halfBeganAt).nanoseconds
        if half >= Self.halfWindow {
            // Longer than a half when nothing extra was asked for meanwhile: its share is what counts.
            firstsBefore = Int(Int64(min(firsts, 1 << 40)) * (Self.halfWindow / 1_000_000) / (half / 1_000_000))
            firsts = 0
            halfBeganAt = now
        }
        let elapsed = max(0, (now - last).nanoseconds)
        let ticks = min(elapsed / tick, Int64(leastCapacity * Self.query))
        // The part of a tick that is left counts next time.
        refilledAt = Instant(nanoseconds: now.nanoseconds &- elapsed % tick)
        balance = min(balance + Int(ticks), capacity)
    }
}
