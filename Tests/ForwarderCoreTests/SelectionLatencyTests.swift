// Percentiles of round trips, the delay of a hedge, and what timeouts, lost hedges and time do to an estimate.

import Testing

@testable import ForwarderCore

struct SelectionLatencyTests {
    /// Microseconds of one sample.
    private typealias Distribution = (name: String, draw: @Sendable (inout RandomSource) -> Int)

    private static let distributions: [Distribution] = [
        ("constant", { _ in 12_345 }),
        ("even", { 1_000 + $0.below(99_000) }),
        ("below all buckets", { $0.below(90) }),
        ("octaves", { 200 << $0.below(10) }),
        ("a tail of 8 %", { $0.below(100) < 8 ? 300_000 + $0.below(100_000) : 4_000 + $0.below(2_000) }),
        ("two seconds", { _ in 1_990_000 }),
    ]

    @Test func percentilesAreWithinABucketOfTheTruth() throws {
        for (name, draw) in Self.distributions {
            var random = RandomSource(seed: [7])
            var estimate = LatencyEstimate()
            var truth: [Int] = []
            for _ in 0..<200 {
                let sample = draw(&random)
                truth.append(sample)
                estimate.note(Interval(nanoseconds: Int64(sample) * 1_000))
            }
            truth.sort()
            for (got, wanted) in [(estimate.percentile95, truth[189]), (estimate.median, truth[99])] {
                let got = LatencyHistogram.bucket(try #require(got).nanoseconds - 1)
                let wanted = LatencyHistogram.bucket(Int64(wanted) * 1_000)
                #expect(abs(got - wanted) <= 1, "\(name): bucket \(got), not \(wanted)")
            }
        }
    }

    @Test func bucketsCoverAllWithoutGaps() {
        for length in [0, 1, 99_999, 100_000, 124_999, 125_000, 199_999, 200_000, 4_000_000_000, Int64.max, -5, .min] {
            let bucket = LatencyHistogram.bucket(length)
            #expect((0..<64).contains(bucket))
            #expect(bucket == 63 || length < LatencyHistogram.upperEnd(bucket))
            #expect(bucket == 0 || length >= LatencyHistogram.upperEnd(bucket - 1), "\(length)")
        }
        for bucket in 1..<64 {
            let begin = LatencyHistogram.upperEnd(bucket - 1)
            #expect(LatencyHistogram.bucket(begin) == bucket && LatencyHistogram.bucket(begin - 1) == bucket - 1)
        }
    }

    @Test func aPercentileNeedsSixteenSamplesAndFollowsAChange() {
        var estimate = LatencyEstimate()
        for _ in 0..<15 { estimate.note(.milliseconds(10)) }
        #expect(estimate.percentile95 == nil)
        estimate.note(.milliseconds(10))
        #expect(estimate.percentile95 == Interval(nanoseconds: 11_200_000))
        for _ in 0..<2_000 { estimate.note(.milliseconds(10)) }
        for _ in 0..<20 { estimate.note(.milliseconds(300)) }
        #expect(estimate.percentile95 ?? .zero > .milliseconds(250), "twenty of some two hundred")
        for _ in 0..<2_000 { estimate.note(.milliseconds(10)) }
        #expect(estimate.percentile95 == Interval(nanoseconds: 11_200_000), "the old tail is forgotten")
    }

    @Test func hedgesComeBeforeTheSlowAnswers() {
        // (percent slow, fast ms, slow ms, delay at least, at most)
        let cases: [(Int, Int64, Int64, Int64, Int64)] = [
            (5, 1, 200, 10, 20), (6, 1, 200, 10, 20), (4, 1, 200, 10, 20), (0, 1, 1, 10, 10), (0, 100, 100, 100, 130),
            (10, 20, 900, 80, 100), (0, 900, 900, 500, 500), (40, 60, 80, 80, 100),
        ]
        for (percent, fast, slow, least, most) in cases {
            var random = RandomSource(seed: [8])
            var estimate = LatencyEstimate()
            for _ in 0..<1_000 { estimate.note(.milliseconds(random.below(100) < percent ? slow : fast)) }
            let delay = estimate.hedgeDelay
            let isRight = delay >= .milliseconds(least) && delay <= .milliseconds(most)
            #expect(isRight, "\(percent) % at \(slow) beside \(fast): \(delay)")
        }
        var estimate = LatencyEstimate()
        #expect(estimate.hedgeDelay == .milliseconds(200))
        estimate.note(.milliseconds(40))
        #expect(estimate.hedgeDelay == .milliseconds(120), "smoothed and four variations")
    }

    @Test func lengthsOfASleepAreNotRoundTrips() {
        var estimate = LatencyEstimate()
        estimate.note(.seconds(3_600))
        estimate.note(Interval(nanoseconds: .max))
        #expect(estimate.smoothed == nil && estimate.variation == .zero)
        estimate.note(.seconds(9))
        #expect(estimate.smoothed == LatencyEstimate.ceiling)
        for _ in 0..<40 {
            estimate.note(Interval(nanoseconds: .min))
            estimate.noteTimeout(after: Interval(nanoseconds: .max))
            estimate.noteCancelled(after: Interval(nanoseconds: .max))
            estimate.noteTimeout(after: Interval(nanoseconds: .min))
        }
        #expect(estimate.smoothed ?? .zero <= LatencyEstimate.ceiling)
        #expect(estimate.timeout(attempt: .max) == LatencyEstimate.ceiling)
    }

    @Test func aLostHedgeIsNotedMildly() {
        var estimate = LatencyEstimate()
        estimate.noteCancelled(after: .seconds(1))
        #expect(estimate.smoothed == nil, "no measurement")
        estimate.note(.milliseconds(20))
        estimate.noteCancelled(after: .milliseconds(10))
        #expect(estimate.smoothed == .milliseconds(20), "it was not late")
        estimate.noteCancelled(after: .milliseconds(180))
        #expect(estimate.smoothed == .milliseconds(30))
        estimate.noteTimeout(after: .milliseconds(190))
        #expect(estimate.smoothed == .milliseconds(50))
    }

    @Test func fadingIsTheSameInStepsOfAnyLength() {
        for steps in [1, 3, 60, 600] {
            var value: Int64 = 1_000_000_000
            for _ in 0..<steps {
                value = Fading.remainder(
                    of: value, after: Interval(nanoseconds: 180_000_000_000 / Int64(steps)), halfLife: .seconds(60))
            }
            #expect(abs(value - 125_000_000) < 4_000_000, "three half-lives in \(steps) steps: \(value)")
        }
        for (value, age) in [(.max, .max), (.min, .max), (.max, .min), (5, 0), (.max, 1)] as [(Int64, Int64)] {
            for halfLife in [Int64.min, 0, 1, 1_000, .max] {
                let left = Fading.remainder(
                    of: value, after: Interval(nanoseconds: age), halfLife: Interval(nanoseconds: halfLife))
                #expect(left >= 0 && left <= max(0, value))
            }
        }
    }

    @Test func whatTimeoutsDroveUpComesDownWithTime() {
        for step in [1, 7, 60, 3_600] as [Int64] {
            var estimate = LatencyEstimate()
            var now = Instant(nanoseconds: 0)
            estimate.note(.milliseconds(30))
            for _ in 0..<100 { estimate.noteTimeout(after: .seconds(2)) }
            #expect(estimate.smoothed ?? .zero > .milliseconds(1_900))
            estimate.decay(now)
            for _ in 0..<max(600 / step, 1) {
                now = now + .seconds(step)
                estimate.decay(now)
            }
            let left = estimate.smoothed ?? .zero
            #expect(left >= .milliseconds(400) && left < .milliseconds(403), "steps of \(step) s: \(left)")
        }
        var quick = LatencyEstimate()
        quick.note(.milliseconds(30))
        quick.decay(Instant(nanoseconds: 0))
        quick.decay(Instant(nanoseconds: .max))
        #expect(quick.smoothed == .milliseconds(30), "a good one does not fade")
    }
}
