// What people see when something is wrong: whole renderings, and a table of mistakes with place and message.

import Testing

@testable import ForwarderSettings

@Suite struct ProblemTests {
    @Test func renderingOfAFile() {
        let outcome = load(
            """
            upstreams = ["udp://127.0.0.1"]
            [server]
            upstreams = ["9.9.9.9"]
            [cache]
            \tstale = 86400

            [group.spare]
            upstreams = ["9.9.9.9"]

            [pool]
            idle_timout = "5m"
            """,
            beside: ["/etc/conf.d/20-big.toml": "[pool]\nmax_connections = 5000\n"])
        let expected = """
            error: upstream 127.0.0.1:53 is this server's own listener (loop)
             --> /etc/f.toml:1:14
              |
            1 | upstreams = ["udp://127.0.0.1"]
              |              ^^^^^^^^^^^^^^^^^

            error: upstreams landed in table [server]: move it above the first [table]
             --> /etc/f.toml:3:1
              |
            3 | upstreams = ["9.9.9.9"]
              | ^^^^^^^^^
              = help: in TOML a key belongs to the last [table] before it

            error: 'cache.stale' needs a unit: 86400 -> "86400s" (= "1d")
             --> /etc/f.toml:5:10
              |
            5 | \tstale = 86400
              | \t        ^^^^^

            warning: group 'spare' is never used
             --> /etc/f.toml:7:8
              |
            7 | [group.spare]
              |        ^^^^^

            error: unknown key 'idle_timout' in [pool]
              --> /etc/f.toml:11:1
               |
            11 | idle_timout = "5m"
               | ^^^^^^^^^^^ did you mean 'idle_timeout'?
               = help: fleetwing config explain pool.idle_timeout

            error: 'pool.max_connections' must be between 1 and 1000, got 5000
             --> /etc/conf.d/20-big.toml:2:19
              |
            2 | max_connections = 5000
              |                   ^^^^

            5 errors, 1 warning; the running configuration is unchanged

            """
        let text = ProblemRenderer(color: false).text(
            outcome.problems, tail: "the running configuration is unchanged")
        #expect(text == expected)
        #expect(outcome.settings == nil && outcome.errorCount == 5 && outcome.warningCount == 1)
        let colored = ProblemRenderer(color: true).text(outcome.problems)
        #expect(colored.contains("\u{1b}[1;31merror:\u{1b}[0m"))
    }

    @Test func renderingOfOneProblem() {
        #expect(
            rendered(load("[pool\n")) == """
                error: not valid TOML: Error while parsing table header: expected ']', saw '\\n'
                 --> /etc/f.toml:1:6
                  |
                1 | [pool
                  |      ^

                1 error

                """)
        #expect(
            rendered(load(nil, overrides: [.upstreams(["quic://1.1.1.1"])])) == """
                error: upstream "quic://1.1.1.1" uses quic://: this build has no QUIC (planned)
                  --> command line, --upstream

                1 error

                """)
        #expect(
            rendered(load(nil, path: "/etc/x.toml")) == """
                error: cannot read /etc/x.toml: no such file
                   = help: fleetwing config default > /etc/x.toml

                1 error

                """)
        let nasty = rendered(load("\"a\\u001b[31m\" = 1\n"))
        #expect(!nasty.unicodeScalars.contains("\u{1b}"), "\(nasty)")
        #expect(
            ProblemRenderer(color: false).json(load("versoin = 1\n").problems) == """
                {"schema": 1, "ok": false, "errors": 1, "warnings": 0, "problems": [{"severity": "error", \
                "message": "unknown key 'versoin'", "file": "/etc/f.toml", "line": 1, "column": 1, "length": 7, \
                "option": null, "note": "did you mean 'version'?", "help": "fleetwing config explain version"}]}

                """)
    }

    /// A file of one mistake (lines split by ;), and what is said.
    static let mistakes: [(file: String, said: [String])] = [
        ("version = 2", ["1:11 version 2 is newer than this build reads (1)"]),
        ("[server];workers = true", ["2:11 'server.workers' must be an integer or \"auto\", got a boolean"]),
        ("[server];workers = \"atuo\"", ["2:11 'server.workers' must be an integer or \"auto\", got \"atuo\""]),
        (
            "[server];workers = 11",
            [
                "2:11 'server.workers' is 11, but upstream 'quad9' may have only 10 connections: each worker needs one"
            ]
        ),
        ("[server];listen = []", ["2:10 'server.listen' is empty: there is nothing to serve"]),
        ("[server];listen = [\"127.0.0.1\", \"udp://127.0.0.1\"]", ["2:24 \"udp://127.0.0.1\" is listed twice"]),
        ("[server];listen = [\"systemd:dns\"]", ["2:11 listener \"systemd:dns\" is not supported yet"]),
        ("[server];listen = [\"localhost\"]", ["2:11 listener \"localhost\" is not an IP address"]),
        ("[server];listen = \"127.0.0.1\"", ["2:10 'server.listen' must be an array of strings, got a string"]),
        ("[server];listen = [1]", ["2:11 'server.listen' must be an array of strings, got an integer in it"]),
        ("[server];rate_limit = 50", ["2:14 'server.rate_limit' needs a unit: 50 -> \"50/s\""]),
        ("[server];allow = [\"10.0.0.1/8\"]", ["2:10 'server.allow': \"10.0.0.1/8\" has host bits set"]),
        ("[server];deny = [\"loopback\"]", ["2:9 'server.deny': \"loopback\" is not an address block"]),
        (
            "[server];query_deadline = \"10ms\"",
            [
                "2:18 'server.query_deadline' must be between 500ms and 30s, got \"10ms\""
            ]
        ),
        ("[server];query_deadline = \"soon\"", ["2:18 'server.query_deadline' must be a duration, got \"soon\""]),
        ("server = 1", ["1:10 'server' is a table, got an integer"]),
        ("[[server]]", ["1:1 'server' is a table, got an array"]),
        ("[upstream];url = \"9.9.9.9\"", ["1:2 'upstream' is a list of tables, got a table"]),
        ("[[upstream]];name = \"a\"", ["1:1 [[upstream]] 'a' has no url"]),
        (
            "upstreams = [\"A b\"];[[upstream]];name = \"A b\";url = \"9.9.9.9\"",
            [
                "3:8 upstream name 'A b' must be 1 to 32 of a-z, 0-9 and -"
            ]
        ),
        (
            "upstreams = [\"a\", \"b\"];[[upstream]];name = \"a\";url = \"9.9.9.9\";"
                + "[[upstream]];name = \"a\";url = \"1.1.1.1\"",
            [
                "1:19 no [[upstream]] is named \"b\"", "6:8 upstream name 'a' is taken, see /etc/f.toml:3",
            ]
        ),
        (
            "upstreams = [\"a\"];[[upstream]];name = \"a\";url = \"9.9.9.9\";"
                + "[[upstream]];name = \"b\";url = \"udp://9.9.9.9:53\"",
            [
                "7:7 upstream 'a' has this url already, see /etc/f.toml:4"
            ]
        ),
        ("[[upstream]];name = \"a\";url = \"9.9.9.9\"", ["3:7 \(publicServersInsteadOf("a"))"]),
        ("upstreams = [];[[upstream]];url = \"9.9.9.9\"", ["3:7 \(publicServersInsteadOf("9-9-9-9"))"]),
        (
            "upstreams = [\"1.1.1.1\"];[[upstream]];name = \"a\";url = \"9.9.9.9\"",
            ["4:7 upstream 'a' is never used"]
        ),
        (
            "upstreams = [\"9.9.9.9\", \"udp://9.9.9.9:53\"]",
            [
                "1:25 \"udp://9.9.9.9:53\" is listed twice in group 'default'"
            ]
        ),
        (
            "upstreams = [\"a\"];[[upstream]];name = \"a\";url = \"9.9.9.9\";verify = \"strict\"",
            [
                "5:10 'upstream.verify' is for tls:// and https:// urls"
            ]
        ),
        (
            "upstreams = [\"a\"];[[upstream]];name = \"a\";url = \"9.9.9.9\";[upstream.pool];prewarm = 11",
            [
                "6:11 'upstream.pool.prewarm' is 11, more than max_connections, which is 10"
            ]
        ),
        ("upstreams = [\"0.0.0.0\"]", ["1:14 upstream \"0.0.0.0\" is no address to send to"]),
        (
            "upstreams = [\"127.0.0.9\"];[server];listen = [\"0.0.0.0\"]",
            [
                "1:14 upstream 127.0.0.9:53 is this server's own listener (loop)"
            ]
        ),
        (
            "upstreams = [\"9.9.9.9\"];[group.default];upstreams = [\"1.1.1.1\"]",
            [
                "3:1 'upstreams' and 'group.default.upstreams' are the same key: keep one"
            ]
        ),
        (
            "[group.default];strategy = \"fast\"",
            [
                "2:12 'group.default.strategy' must be one of fastest, ordered, round-robin, random, weighted, "
                    + "parallel, sticky, got \"fast\""
            ]
        ),
        ("[group.default];hedge = 5", ["2:9 'group.default.hedge' needs a unit: 5 -> \"5s\""]),
        ("[group.default];explore = 5", ["2:11 'group.default.explore' needs a unit: 5 -> \"5%\""]),
        (
            "[group.Spare];upstreams = [\"9.9.9.9\"]",
            [
                "1:8 group name 'Spare' must be 1 to 32 of a-z, 0-9 and -",
                "1:8 group 'Spare' is never used, and without upstreams the public default servers would be asked",
            ]
        ),
        ("[cache];size = 1048576", ["2:8 'cache.size' needs a unit: 1048576 -> \"1048576B\" (= \"1MiB\")"]),
        ("[cache];size = \"1B\"", ["2:8 'cache.size' must be between 1MiB and 64GiB, or 0B, got \"1B\""]),
        ("[cache];min_ttl = \"1h\";max_ttl = \"1m\"", ["2:11 'cache.min_ttl' is more than 'cache.max_ttl'"]),
        ("[query_log];target = \"stderr\"", ["2:10 'query_log.target' is not supported yet"]),
        ("[dns];dnssec = \"validate\"", ["2:10 'dns.dnssec' = \"validate\" is not supported yet"]),
        ("[dns];client_subnet = \"forward\"", ["2:17 'dns.client_subnet' = \"forward\" is not supported yet"]),
        ("[dns];client_subnet = \"10.1.0.0/8\"", ["2:17 'dns.client_subnet': \"10.1.0.0/8\" has host bits set"]),
        (
            "[pool];min_connections = 11",
            [
                "2:19 'pool.min_connections' is 11, more than max_connections, which is 10"
            ]
        ),
        ("[log];level = 2026-01-01", ["2:9 'log.level' must be a string, got a date"]),
        (
            "[[record]];name = \"x\";[[blocklist]];name = \"b\"",
            [
                "1:1 '[[record]]' is not supported yet", "3:1 '[[blocklist]]' is not supported yet",
            ]
        ),
        ("nonsense.a.b = 1;[quux]", ["1:1 unknown table 'nonsense'", "2:2 unknown table 'quux'"]),
        ("max_ttl = \"1h\"", ["1:1 unknown key 'max_ttl'"]),
        (
            "a = 1;a = 2",
            ["2:5 not valid TOML: Error while parsing key-value pair: cannot redefine existing integer 'a'"]
        ),
    ]

    private static func publicServersInsteadOf(_ name: String) -> String {
        "upstream '\(name)' is defined but no group uses it, "
            + "and without upstreams the public default servers would be asked"
    }

    /// An upstream that nobody names is an error while the public servers would be asked, a warning otherwise, also
    /// where the other upstream comes from the command line.
    @Test func anUnusedUpstreamNeverMeansThePublicServers() {
        let table = "[[upstream]]\nname = \"a\"\nurl = \"192.0.2.1\"\n"
        let alone = load(table)
        #expect(alone.settings == nil && alone.errorCount == 1)
        #expect(rendered(alone).contains("= help: add upstreams = [\"a\"]"))
        #expect(load("upstreams = [\"a\"]\n" + table).problems.isEmpty)
        for other in [
            load("upstreams = [\"192.0.2.2\"]\n" + table),
            load(table, overrides: [.upstreams(["192.0.2.2"])]),
        ] {
            #expect(other.errorCount == 0 && other.problems.count == 1)
            #expect(other.settings?.upstreams.flatMap(\.endpoints).map(\.address.description) == ["192.0.2.2"])
        }
    }

    @Test func anUnusedGroupNeverMeansThePublicServers() {
        let table = "[group.spare]\nupstreams = [\"10.0.0.1\"]\n"
        let alone = load(table)
        #expect(alone.settings == nil && alone.errorCount == 1)
        #expect(rendered(alone).contains("group 'spare' is never used, and without upstreams the public"))
        let other = load("upstreams = [\"192.0.2.2\"]\n" + table)
        #expect(other.settings != nil && other.errorCount == 0 && other.problems.count == 1)
    }

    @Test func everyMistakeIsTold() {
        for (file, said) in ProblemTests.mistakes {
            let outcome = load(file.split(separator: ";").joined(separator: "\n") + "\n")
            #expect(brief(outcome) == said, "\(file)")
            let isError = outcome.problems.contains { $0.severity == .error }
            #expect((outcome.settings == nil) == isError, "\(file)")
            for problem in outcome.problems { #expect(problem.sourceLine != nil || problem.place == nil) }
        }
    }

    @Test func openFilesWarning() {
        let outcome = load("upstreams = [\"9.9.9.9\"]\n", openFileLimit: 64)
        #expect(
            brief(outcome) == [
                "pools (10) and server.tcp_max_clients (1024) may need 1034 open files, but the limit is 64"
            ])
        #expect(outcome.settings != nil)
    }

    /// Whatever a file holds, loading ends, and good settings come with no error.
    @Test func mutatedFilesNeverTrap() {
        var random = SystemRandomNumberGenerator()
        let files =
            ProblemTests.mistakes + SecurityTests.mistakes + DispatchProblemTests.mistakes + RouteProblemTests.mistakes
        let seeds = files.map(\.file) + [ContractReference.text]
        let spice = Array("[]{}\"'=.,#\n\\ 0-9:%éu{0}".unicodeScalars)
        for round in 0..<500 {
            var scalars = Array(seeds[round % seeds.count].replacing(";", with: "\n").unicodeScalars)
            for _ in 0...Int.random(in: 0..<4, using: &random) where !scalars.isEmpty {
                let at = Int.random(in: 0..<scalars.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: scalars.remove(at: at)
                case 1: scalars.insert(spice[at % spice.count], at: at)
                default: scalars[at] = spice[(at + round) % spice.count]
                }
            }
            let outcome = load(String(String.UnicodeScalarView(scalars)))
            #expect((outcome.settings == nil) == (outcome.errorCount > 0))
            #expect(rendered(outcome).isEmpty == outcome.problems.isEmpty)
        }
    }

    @Test func explanations() {
        #expect(explain("pool.max_connections")?.contains("between 1 and 1000") == true)
        #expect(explain("upstream.pool.profile") != nil && explain("pool")?.contains("pool.udp_max_age") == true)
        #expect(explain("upstream.mark")?.contains("not supported yet") == true)
        #expect(explain("group.default.hedge")?.contains("applies:    at reload") == true)
        #expect(explain("route")?.contains("route.clients") == true)
        #expect(explain("pool.nothing") == nil && explain("") == nil)
        #expect(suggestion(for: "pool.idle_timout") == "pool.idle_timeout")
        #expect(suggestion(for: "hedge") == "group.default.hedge")
        let outcome = load("[cache]\nsize = \"2MiB\"\n")
        #expect(explain("cache.size", in: outcome)?.contains("\"2MiB\"   # /etc/f.toml:2") == true)
        #expect(renderEffective(outcome, json: true).hasPrefix("{\"schema\": 1, \"files\": [\"/etc/f.toml\"]"))
    }
}
