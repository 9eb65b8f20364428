// How a group picks the member to ask next: the seam between the dispatcher and its strategies.
//
// A strategy only chooses. What was learned of members (round trips, health) is noted in their pools, and budgets and
// retries are the engine's. To add a strategy: one file beside this one, one case here.

/// What a strategy may look at of one member.
struct MemberState {
    /// Smoothed round trip; nil when never measured.
    var roundTrip: Interval?
    var inFlight: Int
    var isEligible: Bool
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
        }
    }

    /// Picks one of `candidates` (positions in `members`, never empty).
    mutating func choose(
        _ candidates: [Int], among members: [MemberState], random: inout RandomSource
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
}
