// What the strategies choose: shares of many choices under a seed, in virtual time.

import Testing

@testable import ForwarderCore

/// A group whose members answer as a test says, asked one query after the other.
final class ChoosingGroup {
    var strategy: Strategy
    var members: [MemberState]
    private var random = RandomSource(seed: [4, 2])
    var now = Instant(nanoseconds: 1_000_000_000_000)

    init(_ kind: StrategyKind, weights: [Int], explore: Int = 5) {
        var settings = GroupSettings(name: "g", members: Array(weights.indices))
        settings.strategy = kind
        settings.explorePercent = explore
        strategy = Strategy(settings)
        members = weights.map { MemberState(roundTrip: nil, inFlight: 0, isEligible: true, weight: $0) }
    }

    func choose(_ candidates: [Int]? = nil, name: UInt64 = 0) -> Int {
        strategy.choose(
            candidates ?? Array(members.indices), among: members, nameHash: name, now: now, random: &random)
    }

    /// Asks `count` times, `gap` apart; nil from `answer` is a failure after 400 ms. Returns the members' counts.
    func ask(
        _ count: Int, gap: Interval, _ answer: (Int, inout RandomSource) -> Interval?
    ) -> [Int] {
        var counts = [Int](repeating: 0, count: members.count)
        for _ in 0..<count {
            let member = choose()
            counts[member] += 1
            if let roundTrip = answer(member, &random) {
                strategy.note(member, roundTrip: roundTrip, now: now)
            } else {
                strategy.failed(member, after: .milliseconds(400), now: now)
            }
            now = now + gap
        }
        return counts
    }
}

/// About `milliseconds`, and in some of a hundred answers up to 800 ms more, as names that no cache has.
private func tailed(_ milliseconds: Int64, percent: Int, _ random: inout RandomSource) -> Interval {
    let base = milliseconds * 800_000 + milliseconds * 400 * Int64(random.below(1_000))
    let late: Int64 = random.below(100) < percent ? 50 << Int64(random.below(5)) : 0
    return Interval(nanoseconds: base + late * 1_000_000)
}

struct SelectionTests {
    @Test func theFastOneGetsMostWhateverTheTail() {
        for (percent, perSecond) in [(0, 20), (2, 20), (10, 20), (20, 20), (2, 1_000), (20, 1_000), (2, 1), (10, 1)] {
            let group = ChoosingGroup(.fastest, weights: [1, 1, 1])
            let gap = Interval(nanoseconds: 1_000_000_000 / Int64(perSecond))
            let counts = group.ask(20_000, gap: gap) { tailed([50, 10, 80][$0], percent: percent, &$1) }
            #expect(counts[1] > 17_000, "tail \(percent) %, \(perSecond) a second: \(counts)")
        }
    }

    @Test func explorationTakesItsShareAndNoMore() {
        for percent in [0, 5, 20, 100] {
            let group = ChoosingGroup(.fastest, weights: [1, 1], explore: percent)
            let counts = group.ask(20_000, gap: .milliseconds(1)) { member, _ in .milliseconds(member == 0 ? 10 : 90) }
            let wanted = 20_000 * percent / 200
            #expect(abs(counts[1] - wanted) <= 200, "\(percent) %: \(counts)")
        }
    }

    @Test func membersNeverMeasuredComeFirst() {
        for kind in [StrategyKind.fastest, .parallel] {
            let group = ChoosingGroup(kind, weights: [1, 1, 1], explore: 0)
            var seen: [Int] = []
            for _ in 0..<3 {
                let member = group.choose()
                seen.append(member)
                group.strategy.note(member, roundTrip: .milliseconds(5), now: group.now)
            }
            #expect(seen == [0, 1, 2])
            group.strategy.forget()
            #expect(group.choose() == 0, "after the network changed nobody is known")
        }
    }

    @Test func aMemberThatWasNeverReachedIsNotAskedFirstAgainAndAgain() {
        let group = ChoosingGroup(.fastest, weights: [1, 1])
        // Twenty a second for a minute, member 0 is dead from the start.
        let counts = group.ask(1_200, gap: .milliseconds(50)) { member, _ in member == 0 ? nil : .milliseconds(30) }
        #expect(counts[0] < 60, "\(counts)")
    }

    @Test func oneFailureIsEnoughAndSecondsForgiveIt() {
        let group = ChoosingGroup(.fastest, weights: [1, 1], explore: 0)
        let times: [Int64] = [10, 50]
        _ = group.ask(100, gap: .milliseconds(50)) { member, _ in .milliseconds(times[member]) }
        #expect(group.choose() == 0)
        group.now = group.now + .seconds(1)
        group.strategy.failed(0, after: .milliseconds(400), now: group.now)
        #expect(group.choose() == 1)
        group.now = group.now + .seconds(30)
        #expect(group.choose() == 0, "without any exploration")
    }

    @Test func aFailureBesideAnswersIsALostDatagram() {
        let group = ChoosingGroup(.fastest, weights: [1, 1], explore: 0)
        let times: [Int64] = [10, 50]
        _ = group.ask(100, gap: .milliseconds(1)) { member, _ in .milliseconds(times[member]) }
        group.strategy.failed(0, after: .milliseconds(400), now: group.now)
        #expect(group.choose() == 0, "it answered what was asked later")
        group.now = group.now + .seconds(1)
        group.strategy.failed(0, after: .zero, now: group.now)
        #expect(group.choose() == 1, "a refused connection counts")
    }

    @Test func theFastOneIsFoundAgainWhenItRecovers() {
        // (queries a second, gaps in milliseconds, queries until it has most again)
        for (gap, bound) in [(1, 2_500), (10, 2_000), (100, 1_500), (1_000, 600)] as [(Int64, Int)] {
            let group = ChoosingGroup(.fastest, weights: [1, 1])
            _ = group.ask(500, gap: .milliseconds(gap)) { member, _ in .milliseconds(member == 0 ? 10 : 50) }
            let slow = group.ask(200, gap: .milliseconds(gap)) { member, _ in .milliseconds(member == 0 ? 500 : 50) }
            #expect(slow[0] < 40, "found out soon: \(slow)")
            _ = group.ask(bound, gap: .milliseconds(gap)) { member, _ in .milliseconds(member == 0 ? 10 : 50) }
            let after = group.ask(200, gap: .milliseconds(gap)) { member, _ in .milliseconds(member == 0 ? 10 : 50) }
            #expect(after[0] > 170, "gap \(gap) ms: \(after)")
        }
    }

    @Test func oldNewsFades() {
        let group = ChoosingGroup(.fastest, weights: [1, 1], explore: 0)
        group.strategy.note(0, roundTrip: .milliseconds(400), now: group.now)
        // Only member 1 is asked, and still member 0 gets another try within minutes.
        var tries = 0
        for _ in 0..<600 {
            group.now = group.now + .seconds(1)
            let member = group.choose()
            if member == 0 { tries += 1 }
            group.strategy.note(member, roundTrip: .milliseconds(member == 0 ? 5 : 50), now: group.now)
        }
        #expect(tries > 300, "\(tries)")
    }

    @Test func afterALongPauseOneAnswerCountsMore() {
        for (pause, wanted) in [(1, 0), (120, 1)] as [(Int64, Int)] {
            let group = ChoosingGroup(.fastest, weights: [1, 1], explore: 0)
            for _ in 0..<20 { group.strategy.note(0, roundTrip: .milliseconds(10), now: group.now) }
            group.now = group.now + .seconds(pause)
            group.strategy.note(0, roundTrip: .milliseconds(300), now: group.now)
            group.strategy.note(1, roundTrip: .milliseconds(50), now: group.now)
            #expect(group.choose() == wanted, "after \(pause) s")
        }
    }

    @Test func whatIsOutstandingWeighs() {
        let group = ChoosingGroup(.fastest, weights: [1, 1], explore: 0)
        for member in 0..<2 { group.strategy.note(member, roundTrip: .milliseconds(10), now: group.now) }
        group.members[0].inFlight = 20
        #expect((0..<20).allSatisfy { _ in group.choose() == 1 })
    }

    @Test func hostileNumbersDoNotTrap() {
        let lengths = [Int64.min, -1, 0, 1, 1_000_000, Int64.max].map(Interval.init(nanoseconds:))
        let times = [0, Int64.max, 1, Int64.max / 2, 0].map(Instant.init(nanoseconds:))
        for kind in [StrategyKind.fastest, .parallel, .weighted, .sticky, .roundRobin, .ordered, .random] {
            let group = ChoosingGroup(kind, weights: [Int.max, Int.min, 0])
            for member in 0..<3 { group.members[member].inFlight = [Int.max, Int.min, 0][member] }
            for time in times {
                group.now = time
                for length in lengths {
                    for member in [0, 1, 2, -1, 99] {
                        group.strategy.note(member, roundTrip: length, now: time)
                        group.strategy.cancelled(member, after: length, now: time)
                        group.strategy.failed(member, after: length, now: time)
                    }
                    group.members[1].roundTrip = length
                    let choice = group.choose(name: UInt64(bitPattern: length.nanoseconds))
                    #expect(group.members.indices.contains(choice))
                    #expect(group.choose([2]) == 2)
                }
            }
        }
    }

    @Test func parallelAsksSeveral() {
        for (kind, asked, wanted) in [
            (StrategyKind.parallel, 2, 2), (.parallel, 9, 3), (.parallel, 0, 1), (.fastest, 2, 1), (.sticky, 3, 1),
        ] {
            var settings = GroupSettings(name: "g", members: [0, 1, 2])
            settings.strategy = kind
            settings.parallel = asked
            #expect(Strategy(settings).fanOut == wanted)
        }
    }
}
