// `weighted`: smooth weighted round robin, as nginx spreads requests.
//
// Deterministic, and even in small numbers: of weights 3 and 1 the lighter one gets every fourth query, not a run of
// them. A member that is away keeps what it is owed and gets no flood of queries when it comes back.

/// Each candidate gains its weight; the richest is asked and pays what all have gained.
struct WeightedStrategy {
    /// Far above what settings allow, so low that 64 members stay far from an overflow.
    static let weightLimit = 1_000_000
    private static let creditLimit = 64 * weightLimit

    private var credit: [Int]

    init(memberCount: Int) { credit = [Int](repeating: 0, count: memberCount) }

    /// One of `candidates` (positions in `members`, never empty). A weight below 1 counts as 1.
    mutating func choose(_ candidates: [Int], among members: [MemberState]) -> Int {
        var best = -1
        var gained = 0
        for candidate in candidates where credit.indices.contains(candidate) {
            let weight = min(max(members[candidate].weight, 1), Self.weightLimit)
            gained += weight
            credit[candidate] += weight
            if best < 0 || credit[candidate] > credit[best] { best = candidate }
        }
        guard best >= 0 else { return candidates[0] }
        // While the candidates stay the same no credit reaches what was gained. Candidates that come and go in a
        // pattern could drive one up or down for hours; what is owed beyond the limit is then forgotten.
        credit[best] = min(max(credit[best] - gained, -Self.creditLimit), Self.creditLimit)
        return best
    }
}
