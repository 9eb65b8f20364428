// Layers: file, drop-ins in order, command line; and what is made of good files.

import Testing

@testable import ForwarderSettings

@Suite struct MergeTests {
    @Test func layersInOrder() throws {
        let outcome = load(
            """
            upstreams = ["9.9.9.9", "1.1.1.1"]
            [server]
            max_inflight = 500
            udp_batch = 8
            listen = ["127.0.0.1:5300", "[::1]:5300"]
            [[upstream]]
            name = "a"
            url = "10.0.0.1"
            """,
            beside: [
                "/etc/conf.d/20-b.toml": "upstreams = [\"a\", \"b\"]\n[server]\nudp_batch = 16\n",
                "/etc/conf.d/10-a.toml":
                    "[server]\nudp_batch = 4\nmax_inflight = 600\n[[upstream]]\nname = \"b\"\nurl = \"10.0.0.2\"\n",
                "/etc/conf.d/.hidden.toml": "nonsense",
                "/etc/conf.d/readme.txt": "nonsense",
            ],
            overrides: [.listen(["127.0.0.2:5301"])])
        #expect(rendered(outcome) == "")
        #expect(outcome.files == ["/etc/f.toml", "/etc/conf.d/10-a.toml", "/etc/conf.d/20-b.toml"])
        let settings = try #require(outcome.settings)
        #expect(settings.server.udpBatch == 16 && settings.server.maxInflight == 600)
        #expect(settings.server.listen.map(\.text) == ["127.0.0.2:5301"])
        #expect(settings.upstreams.map(\.name) == ["a", "b"])
        let shown = renderEffective(outcome)
        for line in [
            "udp_batch = 16                          # /etc/conf.d/20-b.toml:3",
            "max_inflight = 600                      # /etc/conf.d/10-a.toml:3",
            "listen = [\"127.0.0.2:5301\"]             # command line, --listen",
            "udp_payload = 1232                      # default",
        ] { #expect(shown.contains(line + "\n"), "\(line)\n\(shown)") }
    }

    @Test func mistakesInHiddenValuesAreToldToo() {
        let outcome = load(
            "[cache]\nsize = \"1\"\n", beside: ["/etc/conf.d/a.toml": "[cache]\nsize = \"2MiB\"\nmax_tll = \"1s\"\n"])
        #expect(
            brief(outcome) == [
                "2:8 'cache.size' needs a unit: 1 -> \"1B\"", "3:1 unknown key 'max_tll' in [cache]",
            ])
        #expect(outcome.settings == nil)
    }

    @Test func includes() {
        #expect(load("include = []\n", beside: ["/etc/conf.d/a.toml": "nonsense"]).problems.isEmpty)
        #expect(load("include = [\"/x/y.toml\"]\n", beside: ["/x/y.toml": "version = 1\n"]).files.count == 2)
        #expect(
            brief(load("include = [\"gone.toml\"]\n")) == ["1:12 cannot read /etc/gone.toml: no such file"])
        #expect(
            brief(load("", beside: ["/etc/conf.d/a.toml": "include = [\"b\"]\n"])) == [
                "1:1 'include' belongs in the main file, not in an included one"
            ])
        #expect(
            brief(load(nil, path: "/no/such.toml")) == ["cannot read /no/such.toml: no such file"])
        #expect(load(nil).files.isEmpty && load(nil).settings != nil)
    }

    @Test func poolsByProfile() throws {
        let outcome = load(
            """
            upstreams = ["a", "b", "c", "10.0.0.4", "tcp://10.0.0.4"]
            [pool]
            profile = "low"
            idle_timeout = "7m"
            prewarm = 2
            [[upstream]]
            name = "a"
            url = "10.0.0.1"
            [upstream.pool]
            profile = "high"
            [[upstream]]
            name = "b"
            url = "10.0.0.2"
            [upstream.pool]
            max_connections = 2
            profile = "very-high"
            prewarm = 0
            [[upstream]]
            name = "c"
            url = "10.0.0.3"
            """)
        #expect(rendered(outcome) == "")
        let settings = try #require(outcome.settings)
        let seen = settings.upstreams.map {
            "\($0.name) \($0.pool.maxConnections) \($0.pool.idleTimeout) \($0.pool.prewarm)"
        }
        #expect(
            seen == [
                "a 20 600.0 seconds 2", "b 2 900.0 seconds 0", "c 3 420.0 seconds 2",
                "10-0-0-4 3 420.0 seconds 2", "10-0-0-4-2 3 420.0 seconds 2",
            ])
        #expect(settings.server.workers == 2, "auto yields to the smallest pool")
    }

    @Test func groupsAndTheRest() throws {
        let outcome = load(
            """
            [group.default]
            upstreams = ["udp://127.0.0.1:5401"]
            strategy = "round-robin"
            explore = "0%"
            hedge = "off"
            attempts = 2
            attempt_timeout = "300ms"
            failover_on = ["SERVFAIL"]
            when_down = "servfail"
            fallback = ""
            [server]
            listen = ["udp://0.0.0.0:5300", "tcp://0.0.0.0:5300", "[::]:5300"]
            allow = ["any"]
            rate_limit = "0/s"
            [cache]
            size = "0B"
            stale = "0s"
            prefetch = "0%"
            persist = false
            [dns]
            client_subnet = "192.0.2.0/24"
            padding = 0
            [health]
            mode = "off"
            [local]
            hosts = []
            [status]
            listen = ""
            [control]
            socket = ""
            [query_log]
            target = "off"
            """)
        #expect(rendered(outcome) == "")
        let settings = try #require(outcome.settings)
        var group = Settings.Group(name: "default")
        group.members = [0]
        group.strategy = .roundRobin
        group.explore = 0
        group.attempts = 2
        group.attemptTimeout = .milliseconds(300)
        group.failoverOn = [2]
        group.hedge = .off
        group.whenDown = .servfail
        #expect(settings.groups == [group])
        #expect(
            settings.server.listen.map { "\($0.endpoint) \($0.udp) \($0.tcp)" } == [
                "0.0.0.0:5300 true false", "0.0.0.0:5300 false true", "[::]:5300 true true",
            ])
        #expect(settings.dns.clientSubnet?.description == "192.0.2.0/24" && settings.cache.size == 0)
    }
}
