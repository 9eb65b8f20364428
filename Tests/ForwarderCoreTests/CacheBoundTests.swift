// The cache's size: hard in bytes, small for each entry, not to be washed out, shared by threads.

import DNSWire
import Glibc
import Testing

@testable import ForwarderCore

@Suite struct CacheBoundTests {
    @Test func bytesNeverExceedTheSize() throws {
        for workers in [1, 4] {
            let size = 1 << 20
            let fixture = CacheFixture(size: size, workers: workers)
            var numbered = try NumberedAnswers()
            for number in 0..<200_000 {
                numbered.store(number, into: fixture.cache)
                if number % 1_000 == 0 {
                    let statistics = fixture.cache.statistics()
                    #expect(statistics.bytes <= statistics.limit)
                    #expect(statistics.limit <= size)
                }
            }
            let statistics = fixture.cache.statistics()
            #expect(statistics.inserts == 200_000)
            #expect(statistics.entries + Int(statistics.evictions) == 200_000)
            // It is also used, not only bounded.
            #expect(statistics.bytes > size * 9 / 10)
            // What a typical A answer costs: everything, over the number of entries.
            #expect(statistics.limit / statistics.entries <= 160, "\(statistics.limit / statistics.entries)")
        }
    }

    @Test func typicalAnswerCostsLessThanItsBudget() throws {
        let numbered = try NumberedAnswers()
        #expect(TestResponse.wireName(NumberedAnswers.template).count == 23)
        // Its share of the ring, and of an index and ghosts that are 1/10 and 1/32 of the whole.
        let entry = EntryStore.size(ofAnswer: numbered.length)
        #expect(entry == 112)
        let share: Double = 1.0 - 0.1 - 1.0 / 32.0
        let cost = Double(entry) / share
        #expect(cost <= 250)
    }

    @Test func hotNamesSurviveAScan() throws {
        let fixture = CacheFixture(size: 1 << 20)
        var numbered = try NumberedAnswers()
        let hot = 0..<1_000
        for _ in 0..<3 {
            for number in hot where !numbered.ask(number, of: fixture.cache) {
                numbered.store(number, into: fixture.cache)
            }
        }
        // One pass over ten times as many names as fit, the hot ones asked for rarely meanwhile.
        for number in 0..<80_000 {
            numbered.store(1_000 + number, into: fixture.cache)
            if number % 4 == 0 {
                let again = number / 4 % hot.count
                if !numbered.ask(again, of: fixture.cache) { numbered.store(again, into: fixture.cache) }
            }
        }
        var left = 0
        for number in hot where numbered.ask(number, of: fixture.cache) { left += 1 }
        #expect(left >= 950, "\(left)")
    }

    @Test func ghostsComeBackIntoTheMainRing() throws {
        let fixture = CacheFixture(size: 64 << 10)
        var numbered = try NumberedAnswers()
        for number in 0..<1_000 { numbered.store(number, into: fixture.cache) }
        // The last fifty are in the small ring, those before them were dropped and are remembered.
        var dropped = 0
        for number in 900..<1_000 where !numbered.ask(number, of: fixture.cache) { dropped += 1 }
        #expect(dropped > 0)
        for number in 900..<1_000 where !numbered.ask(number, of: fixture.cache) {
            numbered.store(number, into: fixture.cache)
        }
        for number in 2_000..<2_100 { numbered.store(number, into: fixture.cache) }
        var left = 0
        for number in 900..<1_000 where numbered.ask(number, of: fixture.cache) { left += 1 }
        #expect(left >= 90, "\(left)")
    }

    @Test func longAnswersAreRefusedNotTruncated() {
        var fixture = CacheFixture(size: 64 << 10)
        var response = TestResponse("www.example.com")
        fixture.store(CacheFixture.address("www.example.com"))
        for value in 0..<1_000 { response.answers.append(TestResponse.address(60, UInt32(value))) }
        fixture.store(response)
        #expect(fixture.ask("www.example.com") == nil)
        #expect(fixture.cache.statistics().refused == 1)
        #expect(fixture.cache.statistics().entries == 0)
    }

    @Test func idleMemoryIsNotTouched() {
        let fixture = CacheFixture(size: 64 << 20, workers: 2)
        let statistics = fixture.cache.statistics()
        #expect(statistics.bytes == 0)
        #expect(statistics.limit > 63 << 20)
    }

    @Test func threadsShareIt() throws {
        let cache = CacheFixture(size: 256 << 10, workers: 2).cache
        var threads: [pthread_t] = []
        for _ in 0..<2 {
            var thread = pthread_t()
            // Safety: the thread takes its own reference, which was retained for it.
            let box = unsafe Unmanaged.passRetained(cache).toOpaque()
            let failed = unsafe pthread_create(
                &thread, nil,
                { raw in
                    // Safety: what was passed above.
                    guard let raw = unsafe raw else { return nil }
                    hammer(unsafe Unmanaged<SharedCache>.fromOpaque(raw).takeRetainedValue())
                    return nil
                }, box)
            #expect(failed == 0)
            threads.append(thread)
        }
        for thread in threads { pthread_join(thread, nil) }
        let statistics = cache.statistics()
        #expect(statistics.hits + statistics.misses == 40_000)
        #expect(statistics.hits > 0)
        #expect(statistics.bytes <= statistics.limit)
        #expect(statistics.entries + Int(statistics.evictions) <= Int(statistics.inserts))
    }
}

/// One thread's work: the same names as the other thread's, in the same order.
private func hammer(_ cache: SharedCache) {
    guard var numbered = try? NumberedAnswers() else { return }
    for round in 0..<20_000 {
        let number = (round &* 7_919) % 3_000
        if !numbered.ask(number, of: cache) { numbered.store(number, into: cache) }
    }
}
