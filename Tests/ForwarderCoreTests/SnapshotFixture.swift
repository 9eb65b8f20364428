// Snapshots as octets: written from a cache, loaded into another; for the tests of the snapshot.

import DNSWire

@testable import ForwarderCore

enum SnapshotFixture {
    /// Seconds since 1970 at `AnswerFixture.at(0)`.
    static let wallClock: Int64 = 1_800_000_000

    static func settings(_ names: [String] = ["default"], cache: CacheSettings = CacheSettings()) -> EngineSettings {
        var settings = EngineSettings(upstreams: [], groups: names.map { GroupSettings(name: $0, members: []) })
        settings.cache = cache
        return settings
    }

    /// The whole file.
    static func write(_ cache: SharedCache, _ settings: EngineSettings = settings(), at seconds: Int64 = 0) -> [UInt8] {
        var writer = SnapshotWriter(
            cache: cache, settings: settings, now: AnswerFixture.at(seconds), wallClock: wallClock + seconds)
        var octets: [UInt8] = []
        while writer.advance() {
            writer.withPiece { piece in for place in 0..<piece.count { octets.append(piece[place]) } }
        }
        return octets
    }

    /// Loads a file, `later` seconds after it was written by the wall clock.
    static func load(
        _ octets: [UInt8], into cache: SharedCache, _ settings: EngineSettings = settings(), later: Int64 = 0,
        at seconds: Int64 = 0
    ) -> (step: SnapshotStep, counts: SnapshotCounts) {
        var reader = SnapshotReader(cache: cache, settings: settings, wallClock: wallClock + later)
        var place = 0
        while true {
            let end = min(octets.count, place + reader.wanted)
            let step = reader.take(octets.span.extracting(place..<end), now: AnswerFixture.at(seconds))
            place = end
            if step == .whole, place < octets.count {
                return (.unusable(.damaged("octets follow its end")), reader.counts)
            }
            if step != .more { return (step, reader.counts) }
        }
    }

    /// A few answers of every kind that is kept, and one of a kind that is not.
    static func fill(_ fixture: inout CacheFixture) {
        fixture.store(CacheFixture.address("a.example.com", 7))
        fixture.store(CacheFixture.denial("gone.example.com"))
        var noData = CacheFixture.denial("empty.example.com")
        noData.rcode = 0
        fixture.store(noData)
        var secure = CacheFixture.address("secure.example.com", 9)
        secure.flags |= Header.authenticData
        fixture.store(secure, dnssecOK: true, checkingDisabled: true)
        var chain = TestResponse("chain.example.com")
        let alias = TestResponse.wireName("other.example.net")
        chain.answers = [
            TestResponse.record(TestResponse.toQuestion, .cname, 200, alias), TestResponse.address(90, 1, owner: alias),
            TestResponse.address(80, 2, owner: alias),
        ]
        chain.additionals = [TestResponse.optRecord(error: 18, text: "because")]
        fixture.store(chain)
        fixture.store(CacheFixture.failure("broken.example.com"))
    }

    /// What `fill` leaves to be written.
    static let kept = 5
}
