// How a group picks the member to ask next: the seam between the dispatcher and its strategies.
//
// A strategy chooses, and is told what came of it. Health is noted in the members' pools, and budgets, retries and
// hedges are the engine's. To add a strategy: one file beside this one, one case here.

/// What a strategy may look at of one member.
struct MemberState {
    /// Smoothed round trip of its pool; nil when never measured.
    var roundTrip: Interval?
    var inFlight: Int
    var isEligible: Bool
    var weight = 1
}

/// A group's strategy with its state.
enum Strategy {
    case fastest(FastestStrategy)
    case ordered(OrderedStrategy)
    case roundRobin(RoundRobinStrategy)
    case random(RandomStrategy)

    init(_ settings: GroupSettings) {
        switch settings.strategy {
        case .fastest: self = .fastest(FastestStrategy(explorePercent: settings.explorePercent))
        case .ordered: self = .ordered(OrderedStrategy())
        case .roundRobin: self = .roundRobin(RoundRobinStrategy())
        case .random: self = .random(RandomStrategy())
        case .weighted, .parallel, .sticky: self = .random(RandomStrategy())
        }
    }

    /// Picks one of `candidates` (positions in `members`, rising, never empty).
    /// - Parameter nameHash: of the question's name; the same name, the same hash, in this process.
    mutating func choose(
        _ candidates: [Int], among members: [MemberState], nameHash: UInt64, now: Instant,
        random: inout RandomSource
    ) -> Int {
        switch self {
        case .fastest(let strategy):
            return strategy.choose(candidates, among: members, random: &random)
        case .ordered(let strategy):
            return strategy.choose(candidates)
        case .roundRobin(var strategy):
            let choice = strategy.choose(candidates, memberCount: members.count)
            self = .roundRobin(strategy)
            return choice
        case .random(let strategy):
            return strategy.choose(candidates, random: &random)
        }
    }

    /// A member answered after `roundTrip`.
    mutating func note(_ member: Int, roundTrip: Interval, now: Instant) {}

    /// A member did not answer within `waited`, or its connection failed; nothing that was our own machine's fault.
    mutating func failed(_ member: Int, after waited: Interval, now: Instant) {}
}
