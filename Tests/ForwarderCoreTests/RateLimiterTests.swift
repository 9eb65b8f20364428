// The rate limit of clients: the burst, the long run to within one query, clocks that stand still or jump, and a table
// that is too small for all who come.

import Testing

@testable import ForwarderCore

@Suite struct RateLimiterTests {
    private static let second: Int64 = 1_000_000_000
    private static let secret: (UInt64, UInt64) = (0x1234_5678_9abc_def1, 0x0fed_cba9_8765_4321)

    private func at(_ nanoseconds: Int64) -> Instant { Instant(nanoseconds: nanoseconds) }
    private func limiter(_ rate: Int) -> RateLimiter { RateLimiter(rate: rate, secret: RateLimiterTests.secret) }

    @Test func withoutALimitAllPass() {
        for rate in [0, -1] {
            var limiter = limiter(rate)
            #expect(!limiter.isOn)
            for step in 0..<10_000 { #expect(limiter.admit(UInt64(step % 3), now: at(5)) == .pass) }
        }
        var limiter = limiter(1)
        for _ in 0..<10 { #expect(limiter.admit(0, now: at(5)) == .pass) }
    }

    @Test func aBurstOfOneSecondThenEverySecondSlips() {
        for rate in [1, 2, 10, 100_000] {
            var limiter = limiter(rate)
            var verdicts: [RateVerdict] = []
            for _ in 0..<rate + 6 { verdicts.append(limiter.admit(9, now: at(77))) }
            let expected: [RateVerdict] = [.slip, .drop, .slip, .drop, .slip, .drop]
            #expect(verdicts == [RateVerdict](repeating: .pass, count: rate) + expected)
            // Another client has its own bucket.
            #expect(limiter.admit(10, now: at(77)) == .pass)
        }
    }

    @Test func theLongRunIsExact() {
        var random = RandomSource(seed: [3])
        for rate in [1, 2, 3, 7, 100, 999, 4_001] {
            var limiter = limiter(rate)
            var now: Int64 = 123_456_789
            let start = now
            var passed: Int64 = 0
            // Asks ten times as often as it may, at odd moments.
            let gap = Int(RateLimiterTests.second) / (5 * rate)
            for _ in 0..<max(4_000, 30 * rate) {
                if limiter.admit(5, now: at(now)) == .pass { passed += 1 }
                now += Int64(random.below(gap))
            }
            let (whole, part) = (now - start).quotientAndRemainder(dividingBy: RateLimiterTests.second)
            let due = Int64(rate) * (1 + whole) + Int64(rate) * part / RateLimiterTests.second
            // A bucket for one query is full, and loses, from when it may ask until it does.
            let least = rate == 1 ? due * 8 / 10 : due - 1
            if passed < least || passed > due { Issue.record("rate \(rate): \(passed) instead of \(due)") }
        }
    }

    @Test func timeStandsStillAndJumps() {
        var limiter = limiter(10)
        func passes(at now: Int64) -> Int {
            var count = 0
            for _ in 0..<50 where limiter.admit(4, now: at(now)) == .pass { count += 1 }
            return count
        }
        #expect(passes(at: 1_000) == 10)
        #expect(passes(at: 1_000) == 0)
        // Back, as far as can be: nothing to gain, and no wait for the old time either.
        #expect(passes(at: .min + 1) == 0)
        #expect(passes(at: .min + 1 + RateLimiterTests.second / 2) == 5)
        // Ahead, as far as can be: one burst.
        #expect(passes(at: .max) == 10)
        #expect(passes(at: .max) == 0)
        #expect(passes(at: 0) == 0)
        #expect(passes(at: RateLimiterTests.second) == 10)
        // A tenth of a second at ten a second.
        #expect(passes(at: RateLimiterTests.second * 11 / 10 - 1) == 0)
        #expect(passes(at: RateLimiterTests.second * 11 / 10) == 1)
    }

    /// Forty thousand claimed addresses a second, more than the table holds, do not wash out a client at its limit.
    @Test func manyAddressesDoNotFreeAHotClient() {
        for rate in [1, 50] {
            var limiter = limiter(rate)
            let hot: UInt64 = 0xff00_0000_0102_0300
            var passed = 0
            var now: Int64 = 0
            for step in 0..<120_000 as Range<Int64> {
                now = step * 25_000
                if step % 40 == 0, limiter.admit(hot, now: at(now)) == .pass { passed += 1 }
                _ = limiter.admit(0x2001_0db8_0000_0001 + UInt64(step) << 8, now: at(now))
            }
            // Three seconds and the burst.
            if abs(passed - rate * 4) > 1 { Issue.record("rate \(rate): \(passed)") }
        }
    }
}
