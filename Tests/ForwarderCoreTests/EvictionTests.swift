// What goes when there is no room: the useless before the stale, the stale before the fresh.

import DNSWire
import Testing

@testable import ForwarderCore

@Suite struct EvictionTests {
    /// Each third name of 0..<count lives on, has ended lately, ended long ago, when it is `later`.
    private static let count = 210
    private static let later: Int64 = 6_000
    private static let lifetimes: [UInt32] = [100_000, 3_000, 500]

    private static func cache(size: Int) -> SharedCache {
        var settings = CacheSettings()
        settings.size = size
        settings.stale = 5_000
        return SharedCache(settings: settings, workers: 1, seed: AnswerFixture.seed)
    }

    /// How many of each standing are left in the main ring after `newcomers` names with hits have come into it.
    private static func survivors(hits: Int, newcomers: Int) throws -> [Int] {
        let cache = cache(size: 64 << 10)
        var numbered = try NumberedAnswers()
        for number in 0..<count { numbered.store(number, into: cache, lifetime: lifetimes[number % 3]) }
        // Out of the small ring, which counts hits otherwise.
        for number in 0..<100 { numbered.store(5_000 + number, into: cache, lifetime: 1) }
        for number in 0..<count {
            for _ in 0..<hits where !numbered.ask(number, of: cache) { Issue.record("lost \(number)") }
        }
        for number in 10_000..<10_000 + newcomers {
            numbered.store(number, into: cache, lifetime: 100_000, at: later)
            _ = numbered.ask(number, of: cache, at: later)
        }
        // With a clock of before their end all would still be given.
        var left = [0, 0, 0]
        for number in 0..<count where numbered.ask(number, of: cache) { left[number % 3] += 1 }
        return left
    }

    @Test func rankInTheMainRing() throws {
        let each = Self.count / 3
        // All there is, then one turn of the ring after the other.
        let before = try Self.survivors(hits: 3, newcomers: 0)
        #expect(before == [each, each, each])
        // Full buckets take a few before their turn.
        let most = each * 8 / 10
        var staleOutlivedEnded = 0
        var freshOutlivedStale = 0
        for newcomers in stride(from: 50, through: 900, by: 50) {
            let left = try Self.survivors(hits: 3, newcomers: newcomers)
            #expect(left[0] >= left[1] && left[1] >= left[2], "\(newcomers): \(left)")
            if left[1] >= most && left[2] == 0 { staleOutlivedEnded += 1 }
            if left[0] >= most && left[1] == 0 { freshOutlivedStale += 1 }
        }
        #expect(staleOutlivedEnded > 0)
        #expect(freshOutlivedStale > 0)
    }

    @Test func oneHitSavesAFreshEntryOnly() throws {
        let most = Self.count / 3 * 8 / 10
        var saved = 0
        for newcomers in stride(from: 50, through: 600, by: 50) {
            let left = try Self.survivors(hits: 1, newcomers: newcomers)
            #expect(left[0] >= left[1])
            if left[0] >= most && left[1] + left[2] == 0 { saved += 1 }
        }
        #expect(saved > 0)
    }

    /// A full bucket gives up the least useful entry, whatever its hits.
    @Test func rankInABucket() throws {
        let size = 64 << 10
        let index = CacheIndex(capacity: ShardLayout(size: size).index)
        var numbered = try NumberedAnswers()
        var together: [Int] = []
        var number = 0
        let bucket = numbered.bucket(0, of: index)
        while together.count <= CacheIndex.ways {
            if numbered.bucket(number, of: index) == bucket { together.append(number) }
            number += 1
        }
        for (common, odd, oddGoes) in [
            (0, 1, true), (0, 2, true), (1, 2, true), (1, 0, false), (2, 1, false), (2, 0, false),
        ] {
            for place in 0..<CacheIndex.ways {
                let cache = Self.cache(size: size)
                for (way, number) in together.prefix(CacheIndex.ways).enumerated() {
                    let standing = way == place ? odd : common
                    numbered.store(number, into: cache, lifetime: Self.lifetimes[standing])
                    // The less it is worth otherwise, the more hits it has.
                    for _ in 0..<standing { _ = numbered.ask(number, of: cache) }
                }
                numbered.store(together[CacheIndex.ways], into: cache, at: Self.later)
                #expect(cache.statistics().evictions == 1)
                #expect(numbered.ask(together[place], of: cache) == !oddGoes, "\(common) \(odd) \(place)")
            }
        }
    }

    @Test func standingByTimeWindowAndKind() throws {
        var answers = AnswerFixture()
        var store = EntryStore(capacity: 1_024)
        let key = CacheKey(answers.question("www.example.com").question, nameOffset: 0)
        guard let packed = answers.pack(CacheFixture.address("www.example.com")) else { return }
        let size = EntryStore.size(ofAnswer: packed.length)
        let table: [(EntryKind, UInt32, UInt32, Standing)] = [
            (.ordinary, 9, 0, .fresh), (.ordinary, 10, 0, .ended), (.ordinary, 10, 1, .stale),
            (.ordinary, 11, 1, .ended), (.nameError, 10, 5, .stale), (.failure, 9, 5, .fresh),
            (.failure, 10, 5, .ended), (.ordinary, 1 << 30, .max, .stale),
        ]
        for (kind, age, window, standing) in table {
            store.write(
                0, size: size, key, kind, packed, answers.packer.scratch, lifetime: 10, frequency: 0, now: 77)
            let found = store.standing(0, now: 77 + age, window: window)
            #expect(found == standing, "\(kind) \(age) \(window)")
        }
        // The longest lifetime and the longest window together do not overflow.
        store.write(
            0, size: size, key, .ordinary, packed, answers.packer.scratch, lifetime: .max, frequency: 0, now: 0)
        let found = store.standing(0, now: 0, window: .max)
        #expect(found == .fresh)
    }
}
