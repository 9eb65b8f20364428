// [[route]]: what is made of good files, and the order in which routes win.

import Testing

@testable import ForwarderSettings

@Suite struct RouteTests {
    @Test func everyKey() throws {
        let outcome = load(
            """
            upstreams = ["9.9.9.9"]
            [group.office]
            upstreams = ["10.0.0.1"]
            strategy = "ordered"
            [group.route-3]
            upstreams = ["10.0.0.9"]
            [group.default]
            fallback = "route-3"
            [[route]]
            domains = ["Corp.Example", "10.in-addr.arpa."]
            group = "office"
            cache = false
            [[route]]
            domains = ["ads.example"]
            action = "nxdomain"
            [[route]]
            domains = ["lab.example"]
            upstreams = ["10.0.0.2", "9.9.9.9"]
            [[route]]
            clients = ["loopback", "10.1.0.0/16", "10.0.0.0/16"]
            types = ["HTTPS", "a"]
            upstreams = ["10.0.0.2", "udp://9.9.9.9:53"]
            [[route]]
            domains = ["."]
            types = ["TYPE257"]
            action = "refuse"
            [[route]]
            domains = ["x"]
            action = "drop"
            """)
        #expect(rendered(outcome) == "")
        let settings = try #require(outcome.settings)
        #expect(settings.groups.map(\.name) == ["default", "office", "route-3", "route-3-2"])
        #expect(settings.upstreams.map(\.name) == ["9-9-9-9", "10-0-0-1", "10-0-0-9", "10-0-0-2"])
        var own = Settings.Group(name: "route-3-2")
        own.members = [3, 0]
        #expect(settings.groups[3] == own, "equal lists share a group with the default settings")
        let seen = settings.routes.map { route in
            let clients = route.clients.map(\.description).joined(separator: " ")
            return "\(route.domains.map(DomainName.text)) [\(clients)] \(route.types) \(route.action) \(route.cache)"
        }
        #expect(
            seen == [
                "[\".\"] [10.0.0.0/15 127.0.0.0/8 ::1/128] [1, 65] forward(group: 3) true",
                "[\".\"] [] [257] refuse true",
                "[\"corp.example\", \"10.in-addr.arpa\"] [] [] forward(group: 1) false",
                "[\"ads.example\"] [] [] nxdomain true", "[\"lab.example\"] [] [] forward(group: 3) true",
                "[\"x\"] [] [] drop true",
            ])
        let shown = renderEffective(outcome)
        #expect(shown.contains("\n[[route]]\ndomains = [\"ads.example\"]"))
        #expect(shown.contains("action = \"nxdomain\"                     # /etc/f.toml:15\n"))
        #expect(shown.contains("action = \"forward\"                      # default\n"))
    }

    /// The narrower networks stand before the wider ones, wherever they are written.
    @Test func narrowerClientsFirst() throws {
        let lists = ["[\"10.0.0.0/8\", \"::/0\"]", "[\"10.1.1.0/24\"]", "[\"10.0.0.0/8\"]", "[\"10.1.0.0/16\"]"]
        for shift in lists.indices {
            var file = "upstreams = [\"9.9.9.9\"]\n"
            for index in lists.indices {
                file += "[[route]]\ndomains = [\"x\"]\naction = \"drop\"\n"
                file += "clients = \(lists[(index + shift) % lists.count])\n"
            }
            let outcome = load(file)
            #expect(rendered(outcome) == "")
            let clients = try #require(outcome.settings).routes.map { $0.clients.map(\.description) }
            #expect(clients == [["10.1.1.0/24"], ["10.1.0.0/16"], ["10.0.0.0/8"], ["10.0.0.0/8", "::/0"]])
        }
    }

    /// Drop-ins add routes; places name the file where there are two.
    @Test func routesOfDropIns() {
        let route = "[[route]]\ndomains = [\"x\"]\naction = \"drop\"\n"
        let outcome = load("upstreams = [\"9.9.9.9\"]\n" + route, beside: ["/etc/conf.d/a.toml": route])
        #expect(
            brief(outcome) == [
                "1:1 routes at /etc/f.toml:2 and /etc/conf.d/a.toml:1 both match 'x' with the same conditions"
            ])
    }

    @Test func networkSets() {
        func set(_ texts: String...) -> NetworkSet {
            NetworkSet(texts.compactMap { try? AddressText.parseBlock($0).get() })
        }
        #expect(set("10.0.0.0/9", "10.128.0.0/9", "10.3.0.0/16") == set("10.0.0.0/8"))
        #expect(set("0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/2") == set("0.0.0.0/0"))
        #expect(set("::/1", "8000::/1") == set("::/0"))
        #expect(set("10.0.0.0/8") != set("10.0.0.0/8", "::a00:0/104"), "families are apart")
        let inside: [(NetworkSet, NetworkSet, Bool)] = [
            (set("10.1.0.0/16"), set("10.0.0.0/8"), true), (set("10.0.0.0/8"), set("10.1.0.0/16"), false),
            (set("10.1.0.0/16", "2001:db8::/32"), set("10.0.0.0/8", "::/0"), true),
            (set("10.1.0.0/16", "2001:db8::/32"), set("10.0.0.0/8"), false),
            (set("192.0.2.1/32"), set("192.0.2.0/32", "192.0.2.1/32", "192.0.2.3/32"), true),
        ]
        for (a, b, expected) in inside {
            #expect(a.isInside(b) == expected)
            if expected { #expect(a.isNarrower(than: b) && !b.isNarrower(than: a) && a.overlaps(b) && b.overlaps(a)) }
        }
        #expect(!set("10.0.0.0/9").overlaps(set("10.128.0.0/9", "::/0")))
        #expect(set("10.0.0.0/9", "2001:db8::/32").overlaps(set("11.0.0.0/8", "2001:db8:1::/48")))
        #expect(!set("::/0").isNarrower(than: set("::/1")) && set("::/1").isNarrower(than: set("::/0")))
    }
}
