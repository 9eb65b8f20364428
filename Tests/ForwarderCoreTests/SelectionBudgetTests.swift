// The budget of extra queries: what it grants in hours of virtual time, and who comes first when it runs short.

import Testing

@testable import ForwarderCore

struct SelectionBudgetTests {
    private static let start = Instant(nanoseconds: 5_000_000_000)

    /// Takes until nothing is granted; how many were.
    private func drain(_ budget: inout ExtraBudget, _ kind: ExtraKind, _ now: Instant) -> Int {
        var granted = 0
        while granted < 1_000_000 && budget.take(kind, now) { granted += 1 }
        return granted
    }

    @Test func anHourAtAnyRateStaysWithinTheFloorATenthAndABurst() {
        for perSecond in [0, 1, 10, 250, 1_000, 4_000] {
            var budget = ExtraBudget()
            // By seconds from the start; the hour at the higher rates is cut to what a debug build counts quickly.
            let seconds = perSecond > 250 ? 300 : 3_600
            var granted: [Int] = []
            for second in 0..<seconds {
                var count = 0
                for step in 0..<50 {
                    let now = Self.start + .seconds(Int64(second)) + .milliseconds(Int64(step) * 20)
                    for _ in 0..<(perSecond * (step + 1) / 50 - perSecond * step / 50) { budget.noteFirst() }
                    // Far more is wanted than there is, more than two extra queries for each first.
                    for _ in 0..<(perSecond / 20 + 5) where budget.take(.retransmit, now) { count += 1 }
                }
                granted.append(count)
            }
            let burst = max(ExtraBudget.leastCapacity, perSecond)
            for window in [1, 2, 10, 60, 300] {
                var sum = granted.prefix(window).reduce(0, +)
                var most = sum
                for end in window..<max(window, granted.count) {
                    sum += granted[end] - granted[end - window]
                    most = max(most, sum)
                }
                let bound = burst + window * ExtraBudget.floorPerSecond + window * perSecond / 10 + 1
                #expect(most <= bound, "\(perSecond) a second, \(window) s: \(most) > \(bound)")
            }
            // And what is due is given: it is a budget, not a ban.
            let due = seconds * (ExtraBudget.floorPerSecond + perSecond / 10)
            #expect(granted.reduce(0, +) >= due * 98 / 100, "\(perSecond): \(granted.reduce(0, +)) of \(due)")
        }
    }

    @Test func theLessImportantLeaveSomethingToTheMoreImportant() {
        // (kind, what it gets of a full budget)
        let expected: [(ExtraKind, Int)] = [
            (.prefetch, 125), (.refresh, 187), (.hedge, 187), (.retransmit, 250),
        ]
        for (kind, wanted) in expected {
            var budget = ExtraBudget()
            var granted = 0
            for _ in 0..<1_000 where budget.take(kind, Self.start) { granted += 1 }
            #expect(granted == wanted, "\(kind)")
            #expect(budget.granted(kind) == UInt64(wanted) && budget.denied(kind) == UInt64(1_000 - wanted))
            #expect(drain(&budget, .retransmit, Self.start) == 250 - wanted)
        }
    }

    @Test func longSilenceOrSuspendFillsItAndNoMore() {
        for pause in [Interval.seconds(10), .seconds(3_600), .seconds(86_400 * 365), Interval(nanoseconds: 1 << 62)] {
            var budget = ExtraBudget()
            _ = drain(&budget, .retransmit, Self.start)
            let counts = [Self.start, Self.start + pause, Self.start, Self.start + .milliseconds(400)].map {
                drain(&budget, .retransmit, $0)
            }
            // Time that stands still gives nothing, time that goes back neither; then it goes on from there.
            #expect(counts == [0, ExtraBudget.leastCapacity, 0, 10], "\(pause)")
        }
    }

    @Test func manyFirstSendingsWithoutAnyExtraAreNotSavedUp() {
        var budget = ExtraBudget()
        _ = budget.take(.hedge, Self.start)
        // 100 a second for an hour, nothing extra asked for: a tenth of ten seconds of it is less than the least.
        for _ in 0..<360_000 { budget.noteFirst() }
        #expect(drain(&budget, .retransmit, Self.start + .seconds(3_600)) == ExtraBudget.leastCapacity)
        // The same before the first time that it is asked.
        var fresh = ExtraBudget()
        for _ in 0..<360_000 { fresh.noteFirst() }
        #expect(drain(&fresh, .retransmit, Self.start) == ExtraBudget.leastCapacity)
    }
}
