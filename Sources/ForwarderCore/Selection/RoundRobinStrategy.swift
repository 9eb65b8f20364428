// `round-robin`: members in turn.

/// The next candidate at or after the turn.
struct RoundRobinStrategy {
    private var turn = 0

    mutating func choose(_ candidates: [Int], memberCount: Int) -> Int {
        let choice = candidates.first { $0 >= turn } ?? candidates[0]
        turn = (choice + 1) % max(memberCount, 1)
        return choice
    }
}
