// Mistakes in groups, health, stale answers and upstreams' weights, with place and message.

import Testing

@testable import ForwarderSettings

@Suite struct DispatchProblemTests {
    private static let many = (1...65).map { "\"10.0.0.\($0)\"" }.joined(separator: ", ")
    private static let two = "upstreams = [\"10.0.0.1\", \"10.0.0.2\"]"

    /// A file of one mistake (lines split by ;), and what is said. A `~` before it: a warning.
    static let mistakes: [(file: String, said: [String])] = [
        (
            "[server];rate_limit = \"1000001/s\"",
            ["2:14 'server.rate_limit' must be between 0/s and 1000000/s, got \"1000001/s\""]
        ),
        (
            "upstreams = [\"10.0.0.1\"];[group.default];strategy = \"parallel\"",
            ["~3:12 group 'default' has strategy = \"parallel\", but only one upstream"]
        ),
        (
            "\(two);[group.default];strategy = \"parallel\";parallel = 3",
            ["~4:12 'group.default.parallel' is 3, but the group has 2 upstreams"]
        ),
        ("\(two);[group.default];strategy = \"parallel\";parallel = 2", []),
        ("\(two);[group.default];parallel = 2", []),
        (
            "\(two);[group.default];parallel = 4",
            ["~3:12 'group.default.parallel' is not used: the strategy is \"fastest\""]
        ),
        ("[group.default];parallel = 1", ["2:12 'group.default.parallel' must be between 2 and 8, got 1"]),
        (
            "upstreams = [\"a\"];[[upstream]];name = \"a\";url = \"192.0.2.1\";weight = 5",
            ["~5:10 'upstream.weight' is not used: no group of 'a' has strategy = \"weighted\""]
        ),
        ("upstreams = [\"a\"];[[upstream]];name = \"a\";url = \"192.0.2.1\";weight = 1", []),
        (
            "upstreams = [\"a\"];[[upstream]];name = \"a\";url = \"192.0.2.1\";weight = 0",
            ["5:10 'upstream.weight' must be between 1 and 1000, got 0"]
        ),
        ("[group.default];hedge = \"6s\"", ["2:9 'group.default.hedge' must be between 1ms and 5s, got \"6s\""]),
        (
            "[group.default];hedge = \"of\"",
            ["2:9 'group.default.hedge' must be a duration or \"off\" or \"auto\", got \"of\""]
        ),
        (
            "[group.default];fallback = \"spar\";[group.spare];upstreams = [\"10.0.0.1\"];"
                + "[[route]];domains = [\"a\"];group = \"spare\"",
            ["2:12 no group is named \"spar\""]
        ),
        ("\(two);[group.default];fallback = \"default\"", ["3:12 unreachable fallback cycle: default -> default"]),
        (
            "\(two);[group.default];fallback = \"a\";[group.a];\(two);fallback = \"b\";"
                + "[group.b];\(two);fallback = \"a\"",
            ["6:12 unreachable fallback cycle: a -> b -> a"]
        ),
        (
            "\(two);[group.b];\(two);fallback = \"default\";[group.default];fallback = \"b\"",
            ["6:12 unreachable fallback cycle: default -> b -> default"]
        ),
        (
            "\(two);[group.default];when_down = \"fallback\"",
            ["3:13 'group.default.when_down' is \"fallback\", but the group has no 'fallback'"]
        ),
        (
            "\(two);[group.default];when_down = \"servfail\";fallback = \"a\";[group.a];\(two)",
            ["3:13 'group.default.when_down' is \"servfail\", but 'fallback' is \"a\": they contradict"]
        ),
        (
            "\(two);[group.default];when_down = \"fallback\";fallback = 1",
            ["4:12 'group.default.fallback' must be a string, got an integer"]
        ),
        ("\(two);[cache];stale = \"0s\";[group.default];when_down = \"stale\"", []),
        ("\(two);[group.a]", ["2:8 group 'a' has no upstreams", "~2:8 group 'a' is never used"]),
        ("upstreams = [\(many)]", ["1:13 group 'default' has more than 64 upstreams"]),
        ("upstreams = [\"system\", \"system\"]", ["1:24 \"system\" is listed twice in group 'default'"]),
        ("upstreams = [\"sytem\"]", ["1:14 no [[upstream]] is named \"sytem\""]),
        (
            "upstreams = [\"system\"];[[upstream]];name = \"system\";url = \"10.0.0.1\"",
            ["3:8 upstream name 'system' means the machine's own servers: take another"]
        ),
        ("[health];mode = \"lazzy\"", ["2:8 'health.mode' must be one of off, lazy, active, got \"lazzy\""]),
        ("[health];query = \".\"", ["2:9 'health.query' must be NAME TYPE, got \".\""]),
        ("[health];query = \"a..b NS\"", ["2:9 'health.query' has a name that has an empty label: \"a..b\""]),
        ("[health];query = \". AAAB\"", ["2:9 'health.query' has a type that is not a record type: \"AAAB\""]),
        (
            "[health];query = \". TYPE252\"",
            ["2:9 'health.query' has a type that is not a type that can be asked for: \"TYPE252\""]
        ),
        ("[health];backoff_max = \"2m\"", ["2:15 'health.backoff_max' must be between 1s and 1m, got \"2m\""]),
        ("[health];backoff_min = \"20s\"", ["2:15 'health.backoff_min' is more than 'health.backoff_max'"]),
        ("[health];fail_after = 0", ["2:14 'health.fail_after' must be between 1 and 100, got 0"]),
        ("[cache];stale = \"8d\"", ["2:9 'cache.stale' must be between 0s and 7d, got \"8d\""]),
        ("[cache];prefetch = \"51%\"", ["2:12 'cache.prefetch' must be between 0% and 50%, got \"51%\""]),
        ("[cache];persist_interval = \"1s\"", ["2:20 'cache.persist_interval' must be between 1m and 1d, got \"1s\""]),
        // Whatever the transport: it would be our own port.
        (
            "upstreams = [\"tcp://127.0.0.1\"];bootstrap = [\"udp://[::1]\"]",
            ["1:14 upstream 127.0.0.1:53 is this server's own listener (loop)"]
        ),
        (
            "upstreams = [\"tls://a.example@127.0.0.1:53\", \"tls://b.example\"];bootstrap = [\"udp://[::1]\"]",
            [
                "1:14 upstream 127.0.0.1:53 is this server's own listener (loop)",
                "2:14 upstream [::1]:53 is this server's own listener (loop)",
            ]
        ),
        (
            "upstreams = [\"[::ffff:127.0.0.1]\", \"10.0.0.1\", \"udp://127.0.0.1:54\"];"
                + "[server];listen = [\"127.0.0.1\"]",
            ["1:14 upstream [::ffff:7f00:1]:53 is this server's own listener (loop)"]
        ),
        (
            "\(two);[[upstream]];url = \"127.0.0.7\";[server];listen = [\"[::]\"]",
            [
                "~3:7 upstream '127-0-0-7' is never used",
                "3:7 upstream 127.0.0.7:53 is this server's own listener (loop)",
            ]
        ),
    ]

    @Test func everyMistakeIsTold() {
        for (file, said) in DispatchProblemTests.mistakes { expectTold(file, said) }
    }

    @Test func clampedToTheMembers() throws {
        let outcome = load("upstreams = [\"10.0.0.1\"]\n[group.default]\nstrategy = \"parallel\"\n")
        #expect(try #require(outcome.settings).groups[0].parallel == 1)
    }
}

/// Loads a file of lines split by ; and compares what is said, a `~` before warnings.
func expectTold(_ file: String, _ said: [String]) {
    let outcome = load(file.split(separator: ";").joined(separator: "\n") + "\n")
    let told = zip(outcome.problems, brief(outcome)).map { ($0.severity == .warning ? "~" : "") + $1 }
    #expect(told == said, "\(file)")
    let isError = outcome.problems.contains { $0.severity == .error }
    #expect((outcome.settings == nil) == isError, "\(file)")
    for problem in outcome.problems { #expect(problem.sourceLine != nil || problem.place == nil) }
}
