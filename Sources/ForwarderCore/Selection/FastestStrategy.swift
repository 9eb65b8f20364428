// `fastest`: power of two choices over the round trip weighted by what is outstanding, with exploration.

/// Two members are drawn, the one with the smaller expected wait is asked. A few queries in a hundred go to any member,
/// so that nobody is judged for ever by old news; members never measured are asked first.
struct FastestStrategy {
    let explorePercent: Int

    func choose(_ candidates: [Int], among members: [MemberState], random: inout RandomSource) -> Int {
        if candidates.count == 1 { return candidates[0] }
        for candidate in candidates where members[candidate].roundTrip == nil && members[candidate].inFlight == 0 {
            return candidate
        }
        if random.below(100) < explorePercent { return candidates[random.below(candidates.count)] }
        let first = random.below(candidates.count)
        var second = random.below(candidates.count - 1)
        if second >= first { second += 1 }
        let a = candidates[first]
        let b = candidates[second]
        return cost(members[a]) <= cost(members[b]) ? a : b
    }

    /// Round trip times what is outstanding; a member without a measurement counts as slow as a first timeout.
    private func cost(_ member: MemberState) -> Int64 {
        let roundTrip = (member.roundTrip ?? LatencyEstimate.unknownTimeout).nanoseconds / 1_000
        return (roundTrip + 100) * Int64(1 + member.inFlight / 16)
    }
}
