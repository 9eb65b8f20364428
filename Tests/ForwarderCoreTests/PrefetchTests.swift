// When a hit says that its answer is to be refreshed: popular, late, once; and what that costs a hot entry.

import DNSWire
import Testing

@testable import ForwarderCore

extension CacheFixture {
    fileprivate init(prefetch percent: Int, minHits: Int) {
        var settings = CacheSettings()
        settings.prefetchPercent = percent
        settings.prefetchMinHits = minHits
        self.init(settings)
    }
}

@Suite struct PrefetchTests {
    private static let name = "www.example.com"

    @Test func saidOnceForAPopularAnswerThatIsLate() {
        var fixture = CacheFixture(prefetch: 10, minHits: 2)
        let rows: [(Int64, LookupOutcome)] = [(0, .hit), (50, .hit), (90, .hit), (91, .due), (91, .hit), (99, .hit)]
        for start: Int64 in [0, 95] {
            fixture.store(CacheFixture.address(Self.name, ttl: 100), at: start)
            for (second, outcome) in rows {
                #expect(fixture.look(Self.name, at: start + second).outcome == outcome, "\(start) \(second)")
            }
        }
        #expect(fixture.cache.statistics().dueHits == 2)
        #expect(fixture.cache.statistics().hits == 12)
    }

    @Test func hitsAreCountedUpToTheSetting() {
        for (setting, needed) in [(1, 1), (2, 2), (17, 17), (1_000, 1_000), (0, 1), (-5, 1), (70_000, 1_000)] {
            var fixture = CacheFixture(prefetch: 10, minHits: setting)
            fixture.store(CacheFixture.address(Self.name, ttl: 100))
            var due: [Int] = []
            for hit in 1...1_100 where fixture.look(Self.name, at: 95).outcome == .due { due.append(hit) }
            #expect(due == [needed])
        }
    }

    @Test func theShareIsOfTheWholeLifetime() {
        for percent in [1, 10, 33, 50, 100, 250] {
            for ttl: Int64 in [1, 2, 5, 9, 10, 11, 19, 20, 21, 60, 101, 3_600] {
                var fixture = CacheFixture(prefetch: percent, minHits: 1)
                fixture.store(CacheFixture.address(Self.name, ttl: UInt32(ttl)))
                let first = (0..<ttl).first { fixture.look(Self.name, at: $0).outcome == .due }
                // Less than the share is left.
                let share = Double(min(percent, 100)) / 100
                let expected = (0..<ttl).first { Double(ttl - $0) < Double(ttl) * share - 1e-9 }
                #expect(first == expected, "\(percent) % of \(ttl)")
                if percent == 10 && ttl <= 10 { #expect(first == nil) }
            }
        }
    }

    @Test func onlyAnswersToTheNameItself() {
        var noData = CacheFixture.denial(Self.name, ttl: 100)
        noData.rcode = 0
        for response in [CacheFixture.denial(Self.name, ttl: 100), noData, CacheFixture.address(Self.name, ttl: 100)] {
            var fixture = CacheFixture(prefetch: 10, minHits: 2)
            fixture.store(response)
            #expect(fixture.look(Self.name, at: 95).outcome == .hit)
            // Neither does a hit below count.
            if response.rcode == 3 {
                for _ in 0..<5 { #expect(fixture.look("below." + Self.name, at: 95).outcome == .hit) }
            }
            #expect(fixture.look(Self.name, at: 95).outcome == .due)
        }
        var settings = CacheSettings()
        settings.failureTTL = 100
        settings.prefetchPercent = 50
        settings.prefetchMinHits = 1
        var failing = CacheFixture(settings)
        failing.store(CacheFixture.failure(Self.name))
        for _ in 0..<3 { #expect(failing.look(Self.name, at: 99).outcome == .hit) }
    }

    @Test func offWritesNothingAndOnStopsWriting() {
        // What is left in the header's two octets after three hits and after a late one.
        for (percent, minHits, counted, asked) in [(0, 2, 0, 0), (10, 2, 2, 0x8002), (10, 5, 3, 4), (10, 4, 3, 0x8004)]
            as [(Int, Int, UInt16, UInt16)]
        {
            var settings = CacheSettings()
            settings.prefetchPercent = percent
            settings.prefetchMinHits = minHits
            var answers = AnswerFixture(settings)
            var shard = MessageCache(layout: ShardLayout(size: 64 << 10), rules: CacheRules(settings: settings))
            guard let packed = answers.pack(CacheFixture.address(Self.name, ttl: 100)) else {
                Issue.record("not packed")
                continue
            }
            let key = CacheKey(answers.question(Self.name).question, nameOffset: 0)
            shard.keep(packed, answers.packer.scratch, key, name: answers.names, now: 0)
            var seen: [UInt16] = []
            for (hits, second) in [(3, 10), (1, 95)] as [(Int, UInt32)] {
                for _ in 0..<hits {
                    _ = shard.answer(
                        key, .ordinary, name: answers.names, now: second, turn: 0, writer: answers.writer,
                        to: AnswerFixture.client(), into: &answers.out)
                }
                guard let entry = shard.find(key, .ordinary, name: answers.names) else { break }
                seen.append(shard.store.bytes.load(entry + 6, as: UInt16.self))
            }
            #expect(seen == [counted, asked], "\(percent) \(minHits)")
        }
    }
}
