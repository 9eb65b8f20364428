// The cache's snapshot: what is written comes back with the time that passed, for the same groups, and nothing else.

import DNSWire
import Testing

@testable import ForwarderCore

@Suite struct SnapshotTests {
    private static func stale(_ seconds: UInt32) -> CacheSettings {
        var settings = CacheSettings()
        settings.stale = seconds
        return settings
    }

    @Test func everyKindComesBack() throws {
        var before = CacheFixture()
        SnapshotFixture.fill(&before)
        let file = SnapshotFixture.write(before.cache, at: 10)
        var after = CacheFixture()
        let loaded = SnapshotFixture.load(file, into: after.cache, later: 30)
        #expect(loaded.step == .whole)
        #expect(loaded.counts.loaded == SnapshotFixture.kept)
        #expect(loaded.counts.total == SnapshotFixture.kept)

        let found1 = after.ask("A.example.com")
        let address = try #require(found1)
        #expect(address.answers.map(\.data) == [[0, 0, 0, 7]])
        // Ten seconds old when written, twenty by the wall clock until it was loaded.
        #expect(address.answers.map(\.ttl) == [270])
        let found2 = after.ask("gone.example.com", .mx)
        let denial = try #require(found2)
        #expect(denial.rcode == 3)
        #expect(denial.authorities.map(\.ttl) == [270])
        // The denial covers what is below it (RFC 8020): the count of denials came back too.
        let found3 = after.ask("below.gone.example.com")
        #expect(found3?.rcode == 3)
        let found4 = after.ask("empty.example.com")
        let empty = try #require(found4)
        #expect(empty.rcode == 0 && empty.answers.isEmpty && empty.authorities.count == 1)
        let found5 = after.ask("secure.example.com", dnssecOK: true, checkingDisabled: true)
        let secure = try #require(found5)
        #expect(secure.flags & Int(Header.authenticData) != 0)
        let found6 = after.ask("secure.example.com")
        #expect(found6 == nil)
        let found7 = after.ask("chain.example.com", edns: true)
        let chain = try #require(found7)
        #expect(chain.answers.map(\.ttl) == [170, 50, 50])
        #expect(chain.options[15] == [0, 18] + Array("because".utf8))
        let found8 = after.ask("broken.example.com")
        #expect(found8 == nil)
        // Written once more it is the same answers.
        #expect(SnapshotFixture.load(SnapshotFixture.write(after.cache), into: before.cache).counts.superseded == 5)
    }

    @Test(arguments: [
        // lifetime 300, stale, age when written, seconds until loaded, clock at load; whether it is there
        (0, 0, 299, true), (0, 0, 300, false), (0, 200, 99, true), (0, 200, 100, false), (60, 0, 359, true),
        (60, 0, 360, false), (60, 340, 10, true), (60, 360, 0, false), (0, 0, -3_600, true), (0, 250, -3_600, true),
        (0, 0, 1_000_000_000, false),
    ]) func elapsedTimeCounts(stale: UInt32, written: Int64, elapsed: Int64, isThere: Bool) {
        let settings = SnapshotFixture.settings(cache: Self.stale(stale))
        var before = CacheFixture(settings.cache)
        before.store(CacheFixture.address("a.example.com"))
        let file = SnapshotFixture.write(before.cache, settings, at: written)
        let after = CacheFixture(settings.cache)
        let loaded = SnapshotFixture.load(file, into: after.cache, settings, later: written + elapsed)
        #expect(loaded.step == .whole)
        #expect(after.cache.statistics().entries == (isThere ? 1 : 0))
    }

    @Test func timeThatIsToComeIsNotBelieved() {
        var before = CacheFixture()
        SnapshotFixture.fill(&before)
        let file = SnapshotFixture.write(before.cache)
        let after = CacheFixture()
        let loaded = SnapshotFixture.load(file, into: after.cache, later: -86_401)
        #expect(loaded.step == .unusable(.future(86_401)))
        #expect(after.cache.statistics().entries == 0)
    }

    @Test func groupsAreKnownByIdentity() {
        var written = SnapshotFixture.settings(["one", "two", "hidden", "bootstrap"])
        written.groups[1].identity = "two at 192.0.2.1"
        written.groups[2].identity = "-"
        written.bootstrapGroup = 3
        var before = CacheFixture()
        for group in 0..<4 {
            before.store(CacheFixture.address("a.example.com", UInt32(group)), group: UInt16(group))
        }
        let file = SnapshotFixture.write(before.cache, written)

        // The other order, and "one" now asks other servers.
        var now = SnapshotFixture.settings(["two", "one", "hidden"])
        now.groups[0].identity = "two at 192.0.2.1"
        now.groups[1].identity = "one at 192.0.2.2"
        var after = CacheFixture()
        let loaded = SnapshotFixture.load(file, into: after.cache, now)
        #expect(loaded.step == .whole)
        #expect(loaded.counts.loaded == 1 && loaded.counts.foreign == 1)
        let found9 = after.ask("a.example.com", group: 0)
        #expect(found9?.answers.map(\.data) == [[0, 0, 0, 1]])
        let found10 = after.ask("a.example.com", group: 1)
        #expect(found10 == nil)
    }

    @Test func whatIsThereStays() {
        var before = CacheFixture()
        before.store(CacheFixture.address("a.example.com", 1))
        before.store(CacheFixture.address("b.example.com", 1))
        before.store(CacheFixture.denial("c.example.com"))
        let file = SnapshotFixture.write(before.cache, at: 5)
        var after = CacheFixture()
        after.store(CacheFixture.address("a.example.com", 2))
        after.store(CacheFixture.denial("b.example.com"))
        after.store(CacheFixture.address("c.example.com", 2))
        let loaded = SnapshotFixture.load(file, into: after.cache, later: 5)
        #expect(loaded.counts.superseded == 3 && loaded.counts.loaded == 0)
        let found11 = after.ask("a.example.com")
        #expect(found11?.answers.map(\.data) == [[0, 0, 0, 2]])
        let found12 = after.ask("b.example.com")
        #expect(found12?.rcode == 3)
        let found13 = after.ask("c.example.com")
        #expect(found13?.answers.count == 1)
    }

    @Test func rulesOfTodayHold() throws {
        var before = CacheFixture()
        before.store(CacheFixture.address("a.example.com", ttl: 3_000))
        before.store(CacheFixture.denial("gone.example.com", ttl: 3_000))
        let file = SnapshotFixture.write(before.cache)
        var rules = CacheSettings()
        rules.maxTTL = 100
        rules.negativeMaxTTL = 40
        var after = CacheFixture(rules)
        #expect(
            SnapshotFixture.load(file, into: after.cache, SnapshotFixture.settings(cache: rules)).counts.loaded == 2)
        let found14 = after.ask("a.example.com", at: 99)
        #expect(try #require(found14).answers.map(\.ttl) == [1])
        let found15 = after.ask("a.example.com", at: 100)
        #expect(found15 == nil)
        let found16 = after.ask("gone.example.com", at: 39)
        #expect(try #require(found16).authorities.map(\.ttl) == [1])
        let found17 = after.ask("gone.example.com", at: 40)
        #expect(found17 == nil)
    }

    /// Many shards and chunks, the walk in steps between stores that turn the rings over.
    @Test func ringsMayMoveMeanwhile() {
        var fixture = CacheFixture(size: 128 << 10)
        for index in 0..<1_200 { fixture.store(CacheFixture.address("n\(index).example.com", UInt32(index))) }
        let settings = SnapshotFixture.settings()
        for stores in [0, 40, 900] {
            var walk = SnapshotWalk(groups: [0], stale: 0, now: AnswerFixture.at(0).seconds)
            var piece = ByteWriter(capacity: 1 << 20, limit: 1 << 20)
            let entries = fixture.cache.statistics().entries
            var steps = 0
            while !fixture.cache.copyEntries(ofShard: 0, &walk, into: &piece), steps < 200 {
                piece.truncate(to: 0)
                steps += 1
                for index in 0..<stores {
                    fixture.store(CacheFixture.address("s\(stores)-\(steps)-\(index).example.com"))
                }
            }
            #expect(steps > 2 && steps < 100)
            if stores == 0 { #expect(walk.recordCount == entries) }
            #expect(walk.recordCount <= 2 * entries)
        }
        // A cache that is full goes into one of its size as good as whole.
        let file = SnapshotFixture.write(fixture.cache, settings)
        let again = CacheFixture(size: 128 << 10)
        let loaded = SnapshotFixture.load(file, into: again.cache, settings)
        #expect(loaded.step == .whole)
        #expect(loaded.counts.loaded + loaded.counts.crowded == fixture.cache.statistics().entries)
        #expect(loaded.counts.loaded > loaded.counts.crowded * 9)
    }

    /// A snapshot that is larger than the cache fills it and pushes nothing out.
    @Test func smallerCacheTakesWhatFits() {
        var large = CacheFixture(size: 1 << 20)
        for index in 0..<4_000 { large.store(CacheFixture.address("n\(index).example.com", UInt32(index))) }
        let file = SnapshotFixture.write(large.cache)
        var small = CacheFixture(size: 64 << 10)
        small.store(CacheFixture.address("fresh.example.com"))
        let loaded = SnapshotFixture.load(file, into: small.cache)
        #expect(loaded.step == .whole)
        #expect(loaded.counts.crowded > 1_000)
        let found18 = small.ask("fresh.example.com")
        #expect(found18 != nil)
        let statistics = small.cache.statistics()
        #expect(statistics.bytes <= statistics.limit && statistics.evictions == 0)
    }

    @Test func cacheThatIsOffTakesNothing() {
        var before = CacheFixture()
        SnapshotFixture.fill(&before)
        let none = CacheFixture(size: 0)
        #expect(SnapshotFixture.load(SnapshotFixture.write(before.cache), into: none.cache).counts.loaded == 0)
        #expect(SnapshotFixture.load(SnapshotFixture.write(none.cache), into: before.cache).step == .whole)
    }

    /// RFC 3720 B.4 has the first; the last is the checksum's usual test value. In parts it is the same.
    @Test func checksumIsCRC32C() {
        let vectors: [([UInt8], UInt32)] = [
            (Array(repeating: 0, count: 32), 0x8a91_36aa), (Array(repeating: 0xff, count: 32), 0x62a8_ab43),
            (Array(0..<32), 0x46dd_794e), (Array("123456789".utf8), 0xe306_9283), ([], 0),
        ]
        var checksum = SnapshotChecksum()
        for (octets, value) in vectors {
            for cut in 0...octets.count {
                checksum.begin()
                checksum.add(octets.span.extracting(0..<cut))
                checksum.add(octets.span.extracting(cut..<octets.count))
                #expect(checksum.value == value)
            }
        }
    }
}
