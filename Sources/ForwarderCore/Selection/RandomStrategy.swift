// `random`: any member, evenly.

/// A candidate drawn at random.
struct RandomStrategy {
    func choose(_ candidates: [Int], random: inout RandomSource) -> Int { candidates[random.below(candidates.count)] }
}
