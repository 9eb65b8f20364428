// `sticky`: a name always goes to the same member (rendezvous hashing), so that each cache of a tier holds its share.
//
// Every member draws a number for the name and the best number wins. When a member is lost only its names move, to the
// second best of each, and they come back with it; a ring of hash places would need a table and spreads less evenly.
// Only the four operations of IEEE 754 are used, which give the same result on every machine: all of a tier agree.

/// The candidate with the best number for the name. Members are known by their position in the group.
struct StickyStrategy {
    /// One of `candidates` (positions in `members`, never empty), in proportion to their weights.
    func choose(_ candidates: [Int], among members: [MemberState], nameHash: UInt64) -> Int {
        var best = candidates[0]
        var least = Double.infinity
        for candidate in candidates {
            let arrival = Self.waiting(nameHash, candidate) / Double(max(members[candidate].weight, 1))
            if arrival < least {
                least = arrival
                best = candidate
            }
        }
        return best
    }

    /// A number from an exponential distribution, -ln of an even one: the least of such numbers, each divided by its
    /// member's weight, is a member's with a chance in proportion to its weight.
    private static func waiting(_ nameHash: UInt64, _ member: Int) -> Double {
        let step = UInt64(truncatingIfNeeded: member &+ 1) &* 0x9e37_79b9_7f4a_7c15
        let bits = mixed(nameHash ^ mixed(step))
        // 52 bits and a half: never 0, never 1.
        return -naturalLogarithm((Double(bits >> 12) + 0.5) / 4_503_599_627_370_496)
    }

    /// The finaliser of SplitMix64: every bit of the result depends on every bit of the value.
    private static func mixed(_ value: UInt64) -> UInt64 {
        var word = value
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }

    /// ln of a number above 0: exponent and, for the significand in 1..<2, the series of the inverse hyperbolic
    /// tangent. The C library's may differ in the last bit from one machine to another.
    static func naturalLogarithm(_ x: Double) -> Double {
        let s = (x.significand - 1) / (x.significand + 1)
        let square = s * s
        var series = 0.0
        // Odd powers to 25: s is below 1/3, what is left out is below 1e-13.
        for power in stride(from: 25, through: 1, by: -2) { series = series * square + 1 / Double(power) }
        return Double(x.exponent) * 0.693_147_180_559_945_3 + 2 * s * series
    }
}
