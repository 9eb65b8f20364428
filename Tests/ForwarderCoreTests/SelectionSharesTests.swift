// The strategies that spread by weight or by name: exact shares, even order, and what moves when a member is lost.

import Testing

@testable import ForwarderCore

struct SelectionSharesTests {
    @Test func weightedSharesAreExactAndEven() {
        for weights in [[1], [1, 1], [3, 1], [5, 1, 1], [1, 2, 3, 4], [1000, 1]] {
            let group = ChoosingGroup(.weighted, weights: weights)
            let total = weights.reduce(0, +)
            var counts = weights.map { _ in 0 }
            for turn in 1...(3 * total) {
                counts[group.choose()] += 1
                // Never more than one query off its share, at any time: no runs.
                let isEven = counts.indices.allSatisfy { abs(counts[$0] * total - turn * weights[$0]) <= total }
                #expect(isEven, "\(weights) turn \(turn): \(counts)")
            }
            #expect(counts == weights.map { 3 * $0 })
        }
    }

    @Test func weightedGoesOnWithThoseThatAreLeft() {
        let group = ChoosingGroup(.weighted, weights: [4, 2, 1])
        for _ in 0..<5 { _ = group.choose() }
        var counts = [0, 0, 0]
        for _ in 0..<300 { counts[group.choose([1, 2])] += 1 }
        #expect(counts[0] == 0 && abs(counts[1] - 200) <= 2 && abs(counts[2] - 100) <= 2, "\(counts)")
        counts = [0, 0, 0]
        for _ in 0..<70 { counts[group.choose()] += 1 }
        // Back again: its share, and no flood for the time that it was away.
        #expect(abs(counts[0] - 40) <= 3, "\(counts)")
    }

    @Test func weightedStandsCandidatesThatComeAndGo() {
        let group = ChoosingGroup(.weighted, weights: [1000, 1, 500, 3])
        var random = RandomSource(seed: [9])
        for _ in 0..<20_000 {
            let candidates = (0..<4).filter { _ in random.below(2) == 0 }
            if candidates.isEmpty { continue }
            #expect(candidates.contains(group.choose(candidates)))
        }
        var counts = [0, 0, 0, 0]
        for _ in 0..<15_040 { counts[group.choose()] += 1 }
        #expect(abs(counts[0] - 10_000) <= 100 && abs(counts[2] - 5_000) <= 100, "\(counts)")
    }

    @Test func stickySpreadsByWeight() {
        var random = RandomSource(seed: [5])
        for weights in [[1, 1, 1], [3, 1], [1, 2, 5]] {
            let group = ChoosingGroup(.sticky, weights: weights)
            var counts = weights.map { _ in 0 }
            for _ in 0..<40_000 { counts[group.choose(name: random.next64())] += 1 }
            for member in weights.indices {
                let wanted = 40_000 * weights[member] / weights.reduce(0, +)
                #expect(abs(counts[member] - wanted) < 500, "\(weights): \(counts)")
            }
        }
    }

    @Test func stickyMovesOnlyTheNamesOfTheLostMember() {
        var random = RandomSource(seed: [6])
        let group = ChoosingGroup(.sticky, weights: [2, 1, 3, 1])
        for lost in 0..<4 {
            let left = (0..<4).filter { $0 != lost }
            var heirs: Set<Int> = []
            for _ in 0..<2_000 {
                let name = random.next64()
                let usual = group.choose(name: name)
                let now = group.choose(left, name: name)
                #expect(usual == lost || now == usual)
                if usual == lost { heirs.insert(now) }
                #expect(group.choose(name: name) == usual, "back with the member")
            }
            #expect(heirs == Set(left), "not all to one neighbour")
        }
    }

    /// A change here moves every name of every running tier.
    @Test func stickyChoosesTheSameInEveryVersion() {
        let group = ChoosingGroup(.sticky, weights: [1, 1, 2, 1])
        let choices = (0..<16).map { group.choose(name: UInt64($0) &* 0x1234_5678_9abc_def1) }
        #expect(choices == [1, 1, 2, 3, 0, 2, 1, 2, 2, 0, 0, 0, 3, 3, 1, 2])
        #expect(group.strategy.needsStableHash)
    }

    @Test func theLogarithmIsOne() {
        // ln 2, ln 10, ln of the smallest and largest numbers that are drawn.
        for (x, wanted) in [
            (1.0, 0.0), (2.0, 0.693_147_180_559_945_3), (10.0, 2.302_585_092_994_046), (0.5, -0.693_147_180_559_945_3),
            (0.999, -0.001_000_500_333_583_533_5), (1.0 / 9_007_199_254_740_992, -36.736_800_569_677_1),
        ] { #expect(abs(StickyStrategy.naturalLogarithm(x) - wanted) < 1e-11, "\(x)") }
    }
}
