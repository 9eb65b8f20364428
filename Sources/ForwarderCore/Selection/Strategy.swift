// How a group picks the member to ask next: the seam between the dispatcher and its strategies.
//
// A strategy chooses, and is told what came of it. Health is noted in the members' pools, and budgets, retries and
// hedges are the engine's. To add a strategy: one file beside this one, one field and one case here.
//
// A struct with a field for each strategy, not an enum with payloads: an enum has to be taken apart and put together
// again to change its payload, which copies the arrays in it for each query. The fields that are not used are empty.

/// What a strategy may look at of one member.
struct MemberState {
    /// Smoothed round trip of its pool; nil when never measured.
    var roundTrip: Interval?
    var inFlight: Int
    var isEligible: Bool
    var weight = 1
}

/// A group's strategy with its state.
struct Strategy {
    private let kind: StrategyKind
    /// How many members are asked at once: more than 1 for `parallel` only. The engine chooses that many times, each
    /// time without those that it has already.
    let fanOut: Int
    private var fastest: FastestStrategy
    private var weighted: WeightedStrategy
    private var roundRobin = RoundRobinStrategy()

    init(_ settings: GroupSettings) {
        kind = settings.strategy
        let count = settings.members.count
        fanOut = kind == .parallel ? min(max(settings.parallel, 1), max(count, 1)) : 1
        let measures = kind == .fastest || kind == .parallel
        fastest = FastestStrategy(explorePercent: settings.explorePercent, memberCount: measures ? count : 0)
        weighted = WeightedStrategy(memberCount: kind == .weighted ? count : 0)
    }

    /// Whether `nameHash` must be the same in every process and after a restart: tiers of caches must choose alike.
    var needsStableHash: Bool { kind == .sticky }

    /// Picks one of `candidates` (positions in `members`, rising, never empty).
    /// - Parameter nameHash: of the question's name, lower case. Only `sticky` looks at it, and there it must be made
    ///   with a fixed seed (`needsStableHash`); for others any hash will do, also one that is keyed by the process.
    mutating func choose(
        _ candidates: [Int], among members: [MemberState], nameHash: UInt64, now: Instant,
        random: inout RandomSource
    ) -> Int {
        switch kind {
        case .fastest, .parallel: fastest.choose(candidates, among: members, now: now, random: &random)
        case .ordered: OrderedStrategy().choose(candidates)
        case .roundRobin: roundRobin.choose(candidates, memberCount: members.count)
        case .random: RandomStrategy().choose(candidates, random: &random)
        case .weighted: weighted.choose(candidates, among: members)
        case .sticky: StickyStrategy().choose(candidates, among: members, nameHash: nameHash)
        }
    }

    /// A member answered after `roundTrip`.
    mutating func note(_ member: Int, roundTrip: Interval, now: Instant) {
        fastest.note(member, roundTrip: roundTrip, now: now)
    }

    /// A member did not answer within `waited`, or its connection failed; nothing that was our own machine's fault.
    mutating func failed(_ member: Int, after waited: Interval, now: Instant) {
        fastest.noteFailure(member, after: waited, now: now)
    }

    /// A member lost to another one that was asked beside it, `waited` after it was asked.
    mutating func cancelled(_ member: Int, after waited: Interval, now: Instant) {
        fastest.noteCancelled(member, after: waited, now: now)
    }

    /// The network changed: what was measured and what failed says nothing about the new one.
    mutating func forget() { fastest.forget() }
}
