// Snapshots that are damaged or hostile: nothing traps, and what is loaded is what was written before the damage, or
// well formed at least.

import DNSWire
import Testing

@testable import ForwarderCore

@Suite struct SnapshotDamageTests {
    /// The file's head and group table of `SnapshotFixture.settings()`.
    private static let headLength = 28 + 2 + 2 + 7

    /// Small, for each damage has its own.
    private static func cache() -> SharedCache {
        var settings = CacheSettings()
        settings.size = 1 << 20
        return SharedCache(settings: settings, workers: 1, seed: AnswerFixture.seed)
    }

    private static func file() -> [UInt8] {
        var fixture = CacheFixture(size: 1 << 20)
        SnapshotFixture.fill(&fixture)
        return SnapshotFixture.write(fixture.cache)
    }

    /// A file of several chunks.
    private static func longFile() -> [UInt8] {
        var fixture = CacheFixture(size: 1 << 20)
        for index in 0..<3_000 { fixture.store(CacheFixture.address("name\(index).example.com", UInt32(index))) }
        return SnapshotFixture.write(fixture.cache)
    }

    @Test func eachFlippedOctetIsNoticed() {
        let file = Self.file()
        // One chunk: head, chunk, end mark of twelve octets.
        for place in file.indices {
            for mask: UInt8 in [0x01, 0x80, 0xff] {
                var damaged = file
                damaged[place] ^= mask
                let cache = Self.cache()
                let loaded = SnapshotFixture.load(damaged, into: cache)
                let expected = place < file.count - 12 ? 0 : SnapshotFixture.kept
                #expect(loaded.step != .whole && loaded.step != .more, "octet \(place)")
                #expect(cache.statistics().entries == expected, "octet \(place)")
            }
        }
    }

    @Test func eachCutIsNoticed() {
        let file = Self.file()
        for length in file.indices {
            let cache = Self.cache()
            let loaded = SnapshotFixture.load(Array(file[..<length]), into: cache)
            #expect(loaded.step == .unusable(.damaged("it is cut short")), "\(length) octets")
            #expect(cache.statistics().entries == (length < file.count - 12 ? 0 : SnapshotFixture.kept))
        }
    }

    /// What stands before the damage is loaded, chunk by chunk.
    @Test func chunksBeforeTheDamageAreLoaded() {
        let file = Self.longFile()
        var previous = 0
        var grew = 0
        for place in stride(from: Self.headLength, to: file.count, by: file.count / 40) {
            var damaged = file
            damaged[place] ^= 0x10
            let cache = Self.cache()
            let loaded = SnapshotFixture.load(damaged, into: cache)
            guard case .unusable(.damaged) = loaded.step else {
                Issue.record("octet \(place): \(loaded.step)")
                continue
            }
            #expect(loaded.counts.loaded >= previous)
            grew += loaded.counts.loaded > previous ? 1 : 0
            previous = loaded.counts.loaded
        }
        #expect(grew >= 3 && previous < 3_000)
    }

    @Test func chunksThatWereLeftOutAreNoticed() {
        let file = Self.longFile()
        let first = Self.headLength
        let length = file[first..<first + 4].reduce(0) { $0 << 8 | Int($1) }
        let shortened = Array(file[..<first] + file[(first + 12 + length)...])
        let cache = Self.cache()
        let loaded = SnapshotFixture.load(shortened, into: cache)
        guard case .unusable(.damaged(let words)) = loaded.step else {
            Issue.record("\(loaded.step)")
            return
        }
        #expect(words.contains("3000"))
    }

    @Test func otherVersions() {
        let expected: [(UInt8, (SnapshotStep) -> Bool)] = [
            (2, { $0 == .unusable(.newer(2)) }),
            (0, { if case .unusable(.damaged) = $0 { true } else { false } }),
        ]
        for (version, isExpected) in expected {
            var file = Self.file()
            file[11] = version
            let cache = Self.cache()
            #expect(isExpected(SnapshotFixture.load(file, into: cache).step))
        }
    }

    @Test func randomOctets() {
        var random = RandomSource(seed: [UInt8](repeating: 7, count: 32))
        let file = Self.file()
        for round in 0..<300 {
            // With and without a true head before them.
            var octets = round % 2 == 0 ? [] : Array(file[..<Self.headLength])
            for _ in 0..<(round * 3) { octets.append(UInt8(truncatingIfNeeded: random.next32())) }
            let cache = Self.cache()
            #expect(SnapshotFixture.load(octets, into: cache).step != .whole)
            #expect(cache.statistics().entries == 0)
        }
    }

    /// With checksums that are right whatever was changed, as an enemy would make them: no trap, and each answer that
    /// is loaded can be given as a message that reads back.
    @Test func hostileRecords() {
        let file = Self.file()
        let chunk = Self.headLength
        var answered = 0
        for place in (chunk + 12)..<(file.count - 12) {
            for value: UInt8 in [0x00, 0x01, 0x3f, 0xc0, 0xff, file[place] &+ 1] where value != file[place] {
                var hostile = file
                hostile[place] = value
                Self.seal(&hostile, from: chunk, to: hostile.count - 12)
                var fixture = CacheFixture(size: 1 << 20)
                let loaded = SnapshotFixture.load(hostile, into: fixture.cache)
                #expect(loaded.counts.loaded <= SnapshotFixture.kept)
                for name in ["a", "gone", "empty", "secure", "chain"] {
                    let isSecure = name == "secure"
                    let found = fixture.ask(
                        name + ".example.com", dnssecOK: isSecure, checkingDisabled: isSecure, edns: true)
                    if let found {
                        // `TestReply` takes only whole messages.
                        #expect(found.questions == 1 && found.name.lowercased() == name + ".example.com.")
                        answered += 1
                    } else if fixture.answers.out.replies.count > 0 {
                        Issue.record("octet \(place) = \(value): a malformed reply for \(name)")
                    }
                }
            }
        }
        #expect(answered > 1_000)
    }

    /// Writes the checksum of the chunk from `start` on.
    private static func seal(_ file: inout [UInt8], from start: Int, to end: Int) {
        var checksum = SnapshotChecksum()
        checksum.begin()
        checksum.add(file.span.extracting(start..<start + 8))
        checksum.add(file.span.extracting(start + 12..<end))
        for octet in 0..<4 { file[start + 8 + octet] = UInt8(truncatingIfNeeded: checksum.value >> (24 - 8 * octet)) }
    }
}
