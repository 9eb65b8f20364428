// Groups, health, stale answers and the machine's own servers: what is made of good files.

import Testing

@testable import ForwarderSettings

@Suite struct DispatchTests {
    private static let file = """
        [server]
        rate_limit = "50/s"
        [group.default]
        upstreams = ["a", "10.0.0.2", "10.0.0.3"]
        strategy = "weighted"
        hedge = "25ms"
        fallback = "spare"
        when_down = "fallback"
        [group.spare]
        upstreams = ["10.0.0.4", "10.0.0.5", "10.0.0.2"]
        strategy = "parallel"
        parallel = 3
        hedge = "off"
        fallback = "last"
        [group.last]
        upstreams = ["10.0.0.6"]
        strategy = "sticky"
        when_down = "servfail"
        [health]
        mode = "active"
        interval = "5s"
        query = "Probe.Example. aaaa"
        timeout = "500ms"
        fail_after = 5
        recover_after = 2
        backoff_min = "2s"
        backoff_max = "1m"
        [cache]
        stale = "2d"
        stale_after = "0s"
        stale_ttl = "10s"
        prefetch = "20%"
        prefetch_min_hits = 5
        persist = false
        persist_interval = "1h"
        [[upstream]]
        name = "a"
        url = "10.0.0.1"
        weight = 7
        """

    @Test func everyKey() throws {
        let outcome = load(DispatchTests.file)
        #expect(rendered(outcome) == "")
        let settings = try #require(outcome.settings)
        #expect(settings.server.rateLimit == 50)
        #expect(settings.upstreams.map(\.weight) == [7, 1, 1, 1, 1, 1])
        var groups = ["default", "spare", "last"].map { Settings.Group(name: $0) }
        groups[0].members = [0, 1, 2]
        groups[0].strategy = .weighted
        groups[0].hedge = .after(.milliseconds(25))
        groups[0].fallback = 1
        groups[0].whenDown = .fallback
        groups[1].members = [3, 4, 1]
        groups[1].strategy = .parallel
        groups[1].parallel = 3
        groups[1].hedge = .off
        groups[1].fallback = 2
        groups[2].members = [5]
        groups[2].strategy = .sticky
        groups[2].whenDown = .servfail
        #expect(settings.groups == groups)
        var health = Settings.Health()
        health.mode = .active
        health.interval = .seconds(5)
        health.queryName = [5] + Array("probe".utf8) + [7] + Array("example".utf8) + [0]
        health.queryType = 28
        health.timeout = .milliseconds(500)
        health.failAfter = 5
        health.recoverAfter = 2
        health.backoffMin = .seconds(2)
        health.backoffMax = .seconds(60)
        #expect(settings.health == health)
        var cache = Settings.Cache()
        cache.stale = .seconds(172_800)
        cache.staleAfter = .zero
        cache.staleTTL = .seconds(10)
        cache.prefetch = 20
        cache.prefetchMinHits = 5
        cache.persist = false
        cache.persistInterval = .seconds(3_600)
        #expect(settings.cache == cache)
        let shown = renderEffective(outcome)
        for line in ["fallback = \"spare\"", "query = \"Probe.Example. aaaa\"", "weight = 7", "stale = \"2d\""] {
            #expect(shown.contains("\n" + line), "\(line)\n\(shown)")
        }
    }

    /// Groups that only unused groups lead to are not among those in use, and neither are their upstreams.
    @Test func groupsInUse() throws {
        let outcome = load(
            """
            upstreams = ["10.0.0.1"]
            [group.c]
            upstreams = ["10.0.0.3"]
            fallback = "b"
            [group.b]
            upstreams = ["10.0.0.2"]
            [group.a]
            upstreams = ["10.0.0.4"]
            fallback = "d"
            [group.d]
            upstreams = ["10.0.0.1", "10.0.0.5"]
            [[route]]
            domains = ["x"]
            group = "c"
            [[route]]
            domains = ["y"]
            group = "default"
            """)
        #expect(brief(outcome) == ["7:8 group 'a' is never used", "10:8 group 'd' is never used"])
        let settings = try #require(outcome.settings)
        #expect(settings.groups.map(\.name) == ["default", "c", "b"])
        #expect(settings.groups.map(\.fallback) == [nil, 2, nil])
        #expect(settings.upstreams.map(\.url) == ["10.0.0.1", "10.0.0.3", "10.0.0.2"])
        #expect(settings.routes.map(\.action) == [.forward(group: 1), .forward(group: 0)])
    }

    @Test func systemServers() throws {
        let outcome = load(
            """
            upstreams = ["system", "system-2"]
            [group.office]
            upstreams = ["10.0.0.1", "system"]
            [pool]
            max_connections = 3
            [[route]]
            domains = ["corp.example"]
            group = "office"
            [[upstream]]
            name = "system-2"
            url = "10.0.0.2"
            [upstream.pool]
            max_connections = 5
            """)
        #expect(rendered(outcome) == "")
        let settings = try #require(outcome.settings)
        #expect(settings.upstreams.map(\.name) == ["system-1", "system-2-2", "system-3", "system-2", "10-0-0-1"])
        #expect(settings.groups.map(\.members) == [[0, 1, 2, 3], [4, 0, 1, 2]])
        for upstream in settings.upstreams.prefix(3) {
            #expect(upstream.isSystem && upstream.transport == .udp && upstream.port == 53)
            #expect(upstream.endpoints.isEmpty && upstream.hostName.isEmpty && upstream.security == nil)
            #expect(upstream.pool.maxConnections == 3)
        }
        #expect(!settings.upstreams[3].isSystem && settings.bootstrap.isEmpty)
        #expect(settings.server.workers == 3, "auto counts them")
        #expect(load(nil, overrides: [.upstreams(["system"])]).settings?.upstreams.count == 3)
    }

    @Test func namesInWireForm() {
        let long = String(repeating: "a", count: 63)
        let fits = [long, long, long, String(repeating: "b", count: 61)].joined(separator: ".")
        let good: [(String, [UInt8])] = [
            (".", [0]), ("a.", [1, 0x61, 0]), ("Corp.X", [4, 0x63, 0x6f, 0x72, 0x70, 1, 0x78, 0]),
            ("a\\.b", [3, 0x61, 0x2e, 0x62, 0]), ("\\065\\000\\255", [3, 0x61, 0, 255, 0]),
            ("0/26.10", [4, 0x30, 0x2f, 0x32, 0x36, 2, 0x31, 0x30, 0]), ("_dns", [4, 0x5f, 0x64, 0x6e, 0x73, 0]),
        ]
        for (text, wire) in good {
            #expect(DomainName.parse(text) == .success(wire), "\(text)")
            #expect(DomainName.parse(DomainName.text(wire)) == .success(wire), "\(text)")
        }
        #expect((try? DomainName.parse(fits).get())?.count == 255)
        let bad = [
            ("", "is no name"), ("..", "has an empty label"), (".a", "has an empty label"),
            ("a..b", "has an empty label"), (long + "a", "has a label of more than 63 octets"),
            (fits + "b", "is longer than 255 octets"), ("bücher.example", "is not ASCII"),
            ("a b", "has a space or a control character in it"), ("a\\", "ends in a backslash"),
            ("\\256", "has no number between 000 and 255 after its backslash"), ("\\é", "has no good \\ in it"),
            ("\\01", "has no number between 000 and 255 after its backslash"),
        ]
        for (text, words) in bad {
            guard case .failure(let refusal) = DomainName.parse(text) else {
                Issue.record("\(text) is taken")
                continue
            }
            #expect(refusal.words == words, "\(text)")
        }
    }

    @Test func recordTypes() {
        for (text, number) in [("A", 1), ("aaaa", 28), ("HTTPS", 65), ("TYPE65", 65), ("type65535", 65_535)] {
            #expect(RecordType.parse(text) == .success(UInt16(number)))
        }
        for text in ["", "AAAAA", "TYPE", "TYPE65536", "TYPE0", "OPT", "AXFR", "TYPE252", "TYPE41", "TYPE-1", "28"] {
            guard case .failure = RecordType.parse(text) else {
                Issue.record("\(text) is taken")
                continue
            }
        }
        #expect(Set(RecordType.names.map(\.number)).count == RecordType.names.count)
    }
}
