// `fastest`, and the choice of `parallel`: two choices compared by a round trip that fades with time and by the queries
// outstanding, with exploration.
//
// Told by the engine of every answer, failure and lost hedge. Old news loses weight when it is read, not when something
// new comes in: a member that is not asked would otherwise be judged for ever by its worst day. It must never trust a
// length of time: a suspended machine or a clock that stands still gives 0, hours or less than nothing.

/// The member with the shortest round trip and one that is drawn are compared with what is outstanding, the better one
/// is asked. A few queries in a hundred go to any member; members never measured are asked first.
///
/// Plain power of two choices draws both, and then the best of n members gets 2/n of the queries at most: two thirds of
/// three, a quarter of eight. That is right for servers that are alike; upstreams differ by a factor of ten.
struct FastestStrategy {
    /// In this time an estimate that is not renewed falls to its half.
    static let halfLife = Interval.seconds(60)
    /// The same for what a failure adds: how well a failed member was before counts again after some seconds.
    static let penaltyHalfLife = Interval.seconds(5)
    /// The longest round trip that is believed, and the highest penalty.
    static let ceiling = Interval.seconds(2)
    /// What a failure adds at least: a refused connection fails in no time and is not better for it.
    static let leastPenalty = LatencyEstimate.unknownTimeout
    /// A penalty below this no longer keeps a member that was never measured from being asked first.
    static let forgivenPenalty = Interval.milliseconds(10)
    /// Added to every round trip, so that in-flight counts weigh even where round trips are next to nothing.
    private static let leastCost = Interval(nanoseconds: 100_000)

    /// What one member showed.
    private struct Member {
        /// When the last answer came; nil before the first.
        var answeredAt: Instant?
        /// The estimate, in nanoseconds, and since when it fades.
        var roundTrip: Int64 = 0
        var measuredAt = Instant(nanoseconds: 0)
        var failedAt = Instant(nanoseconds: 0)
        var penalty: Int64 = 0

        func roundTrip(_ now: Instant) -> Int64 {
            Fading.remainder(of: roundTrip, after: now - measuredAt, halfLife: FastestStrategy.halfLife)
        }

        func penalty(_ now: Instant) -> Int64 {
            Fading.remainder(of: penalty, after: now - failedAt, halfLife: FastestStrategy.penaltyHalfLife)
        }
    }

    let explorePercent: Int
    private var measured: [Member]

    init(explorePercent: Int, memberCount: Int) {
        self.explorePercent = explorePercent
        measured = [Member](repeating: Member(), count: memberCount)
    }

    /// One of `candidates` (positions in `members`, never empty).
    func choose(_ candidates: [Int], among members: [MemberState], now: Instant, random: inout RandomSource) -> Int {
        if candidates.count == 1 { return candidates[0] }
        for candidate in candidates where isNews(candidate, members[candidate], now) { return candidate }
        if random.below(100) < explorePercent { return candidates[random.below(candidates.count)] }
        var leading = 0
        var least = Int64.max
        for (place, candidate) in candidates.enumerated() {
            let wait = expectedWait(candidate, members[candidate], now)
            if wait < least {
                least = wait
                leading = place
            }
        }
        var other = random.below(candidates.count - 1)
        if other >= leading { other += 1 }
        let a = candidates[leading]
        let b = candidates[other]
        let otherWait = expectedWait(b, members[b], now)
        return Self.cost(least, members[a]) <= Self.cost(otherWait, members[b]) ? a : b
    }

    /// A sample moves the estimate by an eighth of the difference, and more the older the estimate is. It counts as
    /// four times the estimate at most: in DNS the long tail belongs to the names, not to the upstream. Measured with 2
    /// to 20 % of the answers late by 50 to 800 ms: a member at 10 ms beside one at 50 ms gets 55 to 70 % of the
    /// queries when each peak counts whole, 95 % with this bound. One that became slow is found out in five answers.
    mutating func note(_ member: Int, roundTrip: Interval, now: Instant) {
        guard measured.indices.contains(member) else { return }
        let sample = Self.bounded(roundTrip)
        measured[member].penalty = measured[member].penalty(now) / 4
        measured[member].failedAt = now
        defer {
            measured[member].answeredAt = now
            measured[member].measuredAt = now
        }
        guard measured[member].answeredAt != nil else {
            measured[member].roundTrip = sample
            return
        }
        let age = min(max(0, (now - measured[member].measuredAt).nanoseconds), Self.halfLife.nanoseconds)
        let isRecent = age < Self.halfLife.nanoseconds
        let most = isRecent ? 4 * measured[member].roundTrip + 1_000_000 : sample
        let known = measured[member].roundTrip(now)
        let eighths = 1 + 3 * age / Self.halfLife.nanoseconds
        measured[member].roundTrip = known + (min(sample, most) - known) * eighths / 8
    }

    /// A failure counts at once and whole, unless the member has answered since that query was sent: then a datagram
    /// was lost or the name is slow, and it counts like a slow answer.
    mutating func noteFailure(_ member: Int, after waited: Interval, now: Instant) {
        guard measured.indices.contains(member) else { return }
        let waited = Interval(nanoseconds: Self.bounded(waited))
        if let answeredAt = measured[member].answeredAt, now - answeredAt < waited {
            noteCancelled(member, after: max(waited, Self.leastPenalty), now: now)
            return
        }
        let penalty = max(2 * measured[member].penalty(now), waited.nanoseconds, Self.leastPenalty.nanoseconds)
        measured[member].penalty = min(penalty, Self.ceiling.nanoseconds)
        measured[member].failedAt = now
    }

    /// The loser of a hedge would have taken at least `waited`: a sixteenth of what that is more than was thought, and
    /// no more than four times what was thought.
    mutating func noteCancelled(_ member: Int, after waited: Interval, now: Instant) {
        guard measured.indices.contains(member), measured[member].answeredAt != nil else { return }
        let known = measured[member].roundTrip(now)
        let sample = min(Self.bounded(waited), 4 * measured[member].roundTrip + 1_000_000)
        guard sample > known else { return }
        measured[member].roundTrip = known + (sample - known) / 16
        measured[member].measuredAt = now
    }

    mutating func forget() {
        for member in measured.indices { measured[member] = Member() }
    }

    /// Its round trip and what it failed lately, in nanoseconds.
    private func expectedWait(_ member: Int, _ state: MemberState, _ now: Instant) -> Int64 {
        let own = measured.indices.contains(member) ? measured[member] : Member()
        let elsewhere = state.roundTrip ?? LatencyEstimate.unknownTimeout
        let roundTrip = own.answeredAt == nil ? Self.bounded(elsewhere) : own.roundTrip(now)
        return roundTrip + own.penalty(now) + Self.leastCost.nanoseconds
    }

    /// The expected wait times what is outstanding. Sixteen queries count as much as the round trip itself: upstreams
    /// answer them side by side.
    private static func cost(_ expectedWait: Int64, _ state: MemberState) -> Int64 {
        expectedWait / 16 * (16 + Int64(min(max(state.inFlight, 0), 1 << 20)))
    }

    /// Whether the member was never measured, by this group or another, and is worth a first query.
    private func isNews(_ member: Int, _ state: MemberState, _ now: Instant) -> Bool {
        guard state.roundTrip == nil && state.inFlight == 0, measured.indices.contains(member) else { return false }
        return measured[member].answeredAt == nil
            && measured[member].penalty(now) < Self.forgivenPenalty.nanoseconds
    }

    private static func bounded(_ length: Interval) -> Int64 { min(max(0, length.nanoseconds), ceiling.nanoseconds) }
}
