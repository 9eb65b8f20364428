// Failures that count no more once the network or an upstream is back.

import DNSWire
import Testing

@testable import ForwarderCore

@Suite struct FailurePardonTests {
    @Test func holdsForAllShardsAtOnce() {
        for stale: UInt32 in [0, 1_000] {
            var fixture = CacheFixture(stale: stale, workers: 2)
            let names = (0..<40).map { "n\($0).example.com" }
            for name in names {
                fixture.store(CacheFixture.address(name, ttl: 10))
                fixture.store(CacheFixture.failure(name), at: 10)
            }
            for name in names { #expect(fixture.look(name, at: 12).outcome == (stale > 0 ? .stale : .hit)) }
            fixture.cache.forgetFailures(now: AnswerFixture.at(12))
            for name in names {
                #expect(fixture.look(name, at: 12).outcome == (stale > 0 ? .missWithStale : .miss), "\(name)")
            }
        }
    }

    @Test func theNextFailureBeginsAnew() {
        var fixture = CacheFixture(stale: 0)
        for second: Int64 in [0, 5, 15] { fixture.store(CacheFixture.failure("x.test"), at: second) }
        #expect(fixture.look("x.test", at: 34).outcome == .hit)
        fixture.cache.forgetFailures(now: AnswerFixture.at(20))
        fixture.store(CacheFixture.failure("x.test"), at: 21)
        #expect(fixture.look("x.test", at: 25).outcome == .hit)
        #expect(fixture.look("x.test", at: 26).outcome == .miss)
        // And doubles again from there.
        fixture.store(CacheFixture.failure("x.test"), at: 26)
        #expect(fixture.look("x.test", at: 35).outcome == .hit)
        #expect(fixture.look("x.test", at: 36).outcome == .miss)
    }

    @Test func laterFailuresCountAndThePardonNeverGoesBack() {
        var fixture = CacheFixture(stale: 0)
        fixture.cache.forgetFailures(now: AnswerFixture.at(12))
        // Another worker, whose clock reading is older.
        fixture.cache.forgetFailures(now: AnswerFixture.at(10))
        for (second, outcome) in [(11, .miss), (12, .miss), (13, .hit)] as [(Int64, LookupOutcome)] {
            fixture.store(CacheFixture.failure("n\(second).test"), at: second)
            #expect(fixture.look("n\(second).test", at: 13).outcome == outcome, "\(second)")
        }
        fixture.store(CacheFixture.address("x.test"), at: 0)
        #expect(fixture.look("x.test", at: 13).outcome == .hit)
    }

    @Test func secondsMayWrap() {
        // The seconds of `AnswerFixture` begin at 1,000.
        let wrap = Int64(UInt32.max) + 1 - 1_000
        for (pardoned, stored, counts) in [
            (nil, 0, true), (nil, wrap - 1, true), (wrap - 5, wrap - 5, false), (wrap - 5, wrap + 5, true),
            (wrap + 5, wrap - 5, false), (wrap + 5, wrap + 6, true), (-1_000, -999, true), (-1_000, wrap - 1, true),
        ] as [(Int64?, Int64, Bool)] {
            var fixture = CacheFixture(stale: 0)
            if let pardoned { fixture.cache.forgetFailures(now: AnswerFixture.at(pardoned)) }
            fixture.store(CacheFixture.failure("x.test"), at: stored)
            let outcome = fixture.look("x.test", at: stored + 1).outcome
            // Half the range of seconds, 68 years, is the farthest that two points are told apart.
            if pardoned == -1_000, stored > wrap / 2 { continue }
            #expect(outcome == (counts ? .hit : .miss), "\(String(describing: pardoned)) \(stored)")
        }
    }
}
