// Mistakes in [[route]], with place and message: conditions, where a query goes, and ties.

import Testing

@testable import ForwarderSettings

@Suite struct RouteProblemTests {
    private static let head = "upstreams = [\"9.9.9.9\"]"
    private static let x = "[[route]];domains = [\"x\"]"
    private static let tie = "and neither has more conditions or narrower clients"

    /// As in DispatchProblemTests.
    static let mistakes: [(file: String, said: [String])] = [
        ("\(head);\(x)", ["2:1 [[route]] has neither group nor upstreams"]),
        (
            "\(head);\(x);group = \"default\";upstreams = [\"9.9.9.9\"]",
            ["5:13 [[route]] has both group and upstreams: keep one"]
        ),
        ("\(head);\(x);group = \"defualt\"", ["4:9 no group is named \"defualt\""]),
        (
            "\(head);\(x);action = \"drop\";group = \"default\";upstreams = [\"9.9.9.9\"]",
            [
                "5:9 'route.group' is for action = \"forward\", and this one is \"drop\"",
                "6:13 'route.upstreams' is for action = \"forward\", and this one is \"drop\"",
            ]
        ),
        (
            "\(head);\(x);action = \"nxdomian\"",
            ["4:10 'route.action' must be one of forward, refuse, nxdomain, drop, got \"nxdomian\""]
        ),
        (
            "\(head);\(x);upstreams = [\"10.0.0.1\", \"10.0.0.1:53\"]",
            ["4:26 \"10.0.0.1:53\" is listed twice in 'route.upstreams'"]
        ),
        (
            "\(head);\(x);upstreams = [\"127.0.0.1\"]",
            ["4:14 upstream 127.0.0.1:53 is this server's own listener (loop)"]
        ),
        ("\(head);\(x);upstreams = [\"nobody\"]", ["4:14 no [[upstream]] is named \"nobody\""]),
        ("\(head);\(x);upstrems = [\"10.0.0.1\"];action = \"drop\"", ["4:1 unknown key 'upstrems' in [[route]]"]),
        ("\(head);[[route]];action = \"refuse\"", ["2:1 [[route]] has neither domains nor clients nor types"]),
        (
            "\(head);[[route]];action = \"refuse\";domains = []",
            ["2:1 [[route]] has neither domains nor clients nor types"]
        ),
        ("\(head);[[route]];action = \"refuse\";types = [\"A\"]", []),
        (
            "\(head);[[route]];action = \"drop\";domains = [\"a..b\", \"*.corp.example\", \"é\", \"y\", \"Y.\"]",
            [
                "4:12 'route.domains': \"a..b\" has an empty label",
                "4:20 'route.domains': \"*.corp.example\" has a '*'",
                "4:38 'route.domains': \"é\" is not ASCII", "4:48 \"Y.\" is listed twice in 'route.domains'",
            ]
        ),
        (
            "\(head);\(x);action = \"drop\";clients = [\"10.0.0.1/8\", \"lopback\", \"::1\"]",
            [
                "5:12 'route.clients': \"10.0.0.1/8\" has host bits set",
                "5:26 'route.clients': \"lopback\" is not an address block",
            ]
        ),
        (
            "\(head);\(x);action = \"drop\";types = [\"AAA\", \"HTTPS\", \"TYPE65\", \"AXFR\"]",
            [
                "5:10 'route.types': \"AAA\" is not a record type", "5:26 \"TYPE65\" is listed twice in 'route.types'",
                "5:36 'route.types': \"AXFR\" is not a record type",
            ]
        ),
        ("\(head);[route];domains = [\"x\"]", ["2:2 'route' is a list of tables, got a table"]),
    ]

    /// The conditions of two routes for one domain, and whether they tie.
    private static let pairs: [(first: String, second: String, said: String?)] = [
        ("", "", "with the same conditions"),
        ("types = [\"A\", \"TYPE28\"]", "types = [\"AAAA\", \"A\"]", "with the same conditions"),
        ("clients = [\"10.0.0.0/9\", \"10.128.0.0/9\"]", "clients = [\"10.0.0.0/8\"]", "with the same conditions"),
        ("", "types = [\"A\"]", nil),
        ("types = [\"A\"]", "types = [\"AAAA\"]", nil),
        ("types = [\"A\"]", "types = [\"AAAA\", \"A\"]", tie),
        ("types = [\"A\"]", "clients = [\"10.0.0.0/8\"]", tie),
        ("clients = [\"10.0.0.0/8\"]", "clients = [\"10.1.0.0/16\"]", nil),
        ("clients = [\"10.0.0.0/8\"]", "clients = [\"11.0.0.0/8\"]", nil),
        ("clients = [\"10.0.0.0/8\", \"::1\"]", "clients = [\"10.1.0.0/16\", \"fd00::/8\"]", tie),
        ("clients = [\"any\"];types = [\"A\"]", "clients = [\"any\"];types = [\"A\", \"MX\"]", tie),
        ("clients = [\"any\"];types = [\"A\"]", "clients = [\"private\"];types = [\"A\", \"MX\"]", nil),
        ("clients = [\"any\"];types = [\"A\"]", "clients = [\"any\"];types = [\"MX\"]", nil),
        ("clients = [\"any\"];types = [\"A\"]", "clients = [\"any\"]", nil),
    ]

    @Test func everyMistakeIsTold() {
        for (file, said) in RouteProblemTests.mistakes { expectTold(file, said) }
    }

    @Test func ties() {
        let route = "[[route]];domains = [\"corp.example\", \"b\"];action = \"drop\";"
        for (first, second, said) in RouteProblemTests.pairs {
            for (a, b) in [(first, second), (second, first)] {
                let other = "[[route]];domains = [\"c\", \"Corp.Example.\", \"b\"];action = \"refuse\";"
                let line = a.contains(";") ? 7 : a.isEmpty ? 5 : 6
                let comma = said == RouteProblemTests.tie ? "," : ""
                let told = said.map { words in
                    ["\(line):1 routes at lines 2 and \(line) both match 'corp.example'\(comma) \(words)"]
                }
                expectTold("\(RouteProblemTests.head);\(route)\(a.isEmpty ? "" : a + ";")\(other)\(b)", told ?? [])
            }
        }
        expectTold(
            "\(RouteProblemTests.head);[[route]];types = [\"A\"];action = \"drop\";[[route]];domains = [\".\"];"
                + "types = [\"A\"];action = \"refuse\"",
            ["5:1 routes at lines 2 and 5 both match '.' with the same conditions"])
        expectTold("\(RouteProblemTests.head);\(route);[[route]];domains = [\"x.corp.example\"];action = \"drop\"", [])
    }

    @Test func bounds() {
        func file(_ count: Int, _ domains: (Int) -> String) -> String {
            "upstreams = [\"9.9.9.9\"]\n"
                + (0..<count).map { "[[route]]\naction = \"drop\"\ndomains = [\(domains($0))]\n" }.joined()
        }
        #expect(load(file(1_000) { "\"r\($0)\"" }).settings?.routes.count == 1_000)
        #expect(brief(load(file(1_001) { "\"r\($0)\"" })) == ["3002:1 more than 1000 routes"])
        func list(_ count: Int, _ name: String) -> String {
            (0..<count).map { "\"\(name)\($0)\"" }.joined(separator: ",")
        }
        #expect(
            brief(load(file(2) { list(50_001, $0 == 0 ? "a" : "b") })) == [
                "7:11 more than 100000 domains in all routes"
            ])
        #expect(
            brief(load(file(1) { _ in list(100_001, "a") })) == ["4:11 'route.domains' has more than 100000 elements"])
    }
}
