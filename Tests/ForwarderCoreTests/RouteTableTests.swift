// The table of routes: a table of cases for each rule of precedence, and a model that tries every route for every name.

import DNSWire
import Testing

@testable import ForwarderCore

@Suite struct RouteTableTests {
    private struct Case {
        var name: String
        var type: UInt16 = 1
        var client: NetworkAddress = RouteTableTests.v4(0xc0a8_0105)
        var expected: Int?
    }

    private static func v4(_ address: UInt32) -> NetworkAddress { NetworkAddress(ipv4: address) }

    private static func block(_ address: UInt32, _ length: Int) -> NetworkBlock {
        NetworkBlock(address: v4(address), prefixLength: length)
    }

    private static func route(
        _ domains: [String], clients: [NetworkBlock] = [], types: [UInt16] = [], group: Int = 0
    ) -> RouteSettings {
        var route = RouteSettings(
            domains: domains.map { $0 == "." ? [0] : TestResponse.wireName($0) }, action: .forward(group: group))
        route.clients = clients
        route.types = types
        return route
    }

    private static func find(
        _ table: RouteTable, _ wire: [UInt8], type: UInt16 = 1, client: NetworkAddress, at offset: Int = 0
    ) -> RouteMatch? {
        var store = ByteStore(capacity: 600)
        store.copy(from: wire.span, range: 0..<wire.count, to: offset)
        return table.find(
            store, nameOffset: offset, nameLength: wire.count, labelCount: labels(wire).count, type: type,
            client: client)
    }

    private static func labels(_ wire: [UInt8]) -> [[UInt8]] {
        var labels: [[UInt8]] = []
        var rest = wire[...]
        while let length = rest.first, length > 0 {
            labels.append(Array(rest.dropFirst().prefix(Int(length))))
            rest = rest.dropFirst(Int(length) + 1)
        }
        return labels
    }

    private func check(_ routes: [RouteSettings], _ cases: [Case]) {
        let table = RouteTable(routes)
        for (place, item) in cases.enumerated() {
            let wire = TestResponse.wireName(item.name)
            let found = RouteTableTests.find(table, wire, type: item.type, client: item.client, at: place)
            if found?.index != item.expected {
                Issue.record("case \(place), \(item.name): \(found?.index ?? -1) instead of \(item.expected ?? -1)")
            }
        }
    }

    @Test func withoutRoutesNothingMatches() {
        let table = RouteTable([])
        #expect(table.isEmpty)
        #expect(RouteTableTests.find(table, [0], client: RouteTableTests.v4(1)) == nil)
    }

    @Test func theLongestDomainWins() {
        let routes = ["example", "a.b.example", "b.example", "xample"].map { RouteTableTests.route([$0]) }
        check(
            routes,
            [
                Case(name: "example", expected: 0), Case(name: "c.example", expected: 0),
                Case(name: "b.example", expected: 2), Case(name: "x.b.example", expected: 2),
                Case(name: "a.b.example", expected: 1), Case(name: "x.a.b.example", expected: 1),
                Case(name: "example.a.b", expected: nil), Case(name: "", expected: nil),
                // Labels count, not octets: a suffix that begins inside a label is none.
                Case(name: "bb.example", expected: 0), Case(name: "bexample", expected: nil),
                Case(name: "b.xample", expected: 3),
            ])
        check(
            [RouteTableTests.route(["example"]), RouteTableTests.route(["."])],
            [
                Case(name: "", expected: 1), Case(name: "com", expected: 1), Case(name: "x.example", expected: 0),
            ])
    }

    @Test func conditionsPassARouteOver() {
        let net = [RouteTableTests.block(0xc0a8_0000, 16)]
        let routes = [
            RouteTableTests.route(["."], group: 9), RouteTableTests.route(["example"], clients: net),
            RouteTableTests.route(["b.example"], types: [28, 15]),
            RouteTableTests.route(["b.example"], clients: net, types: [28]),
            RouteTableTests.route(["b.example"], clients: [RouteTableTests.block(0x0a00_0000, 8)]),
        ]
        let ten = RouteTableTests.v4(0x0a01_0203)
        let other = RouteTableTests.v4(0x0b01_0203)
        let mapped = NetworkAddress(high: 0, low: 0xffff_c0a8_0105)
        check(
            routes,
            [
                Case(name: "b.example", type: 28, expected: 3), Case(name: "b.example", type: 15, expected: 2),
                Case(name: "b.example", expected: 1), Case(name: "b.example", type: 28, client: mapped, expected: 3),
                // One condition each: the network wins over the type.
                Case(name: "b.example", type: 28, client: ten, expected: 4),
                Case(name: "b.example", type: 28, client: other, expected: 2),
                Case(name: "b.example", client: other, expected: 0),
                Case(name: "b.example", client: NetworkAddress(high: 0, low: 0xc0a8_0105), expected: 0),
            ])
    }

    @Test func theNarrowerNetworkWins() {
        let routes = [
            RouteTableTests.route(["example"], clients: [RouteTableTests.block(0xc0a8_0000, 16)]),
            RouteTableTests.route(
                ["example"],
                clients: [RouteTableTests.block(0x0a00_0000, 8), RouteTableTests.block(0xc0a8_0100, 24)]),
            RouteTableTests.route(["example"], clients: [RouteTableTests.block(0x0a00_0000, 8)]),
            RouteTableTests.route(["example"], clients: [RouteTableTests.block(0, 0)]),
        ]
        check(
            routes,
            [
                Case(name: "example", expected: 1),
                Case(name: "example", client: RouteTableTests.v4(0xc0a8_0205), expected: 0),
                Case(name: "example", client: RouteTableTests.v4(0x0a00_0205), expected: 1),
                Case(name: "example", client: RouteTableTests.v4(0x7f00_0001), expected: 3),
                Case(name: "example", client: NetworkAddress(high: 0, low: 1), expected: nil),
            ])
    }

    @Test func aDSQuestionBelongsToTheParent() {
        let routes = ["example", "b.example", "a.b.example"].map { RouteTableTests.route([$0]) }
        check(
            routes,
            [
                Case(name: "b.example", type: 43, expected: 0), Case(name: "x.b.example", type: 43, expected: 1),
                Case(name: "a.b.example", type: 43, expected: 1), Case(name: "example", type: 43, expected: nil),
            ])
        check(
            routes + [RouteTableTests.route(["."])],
            [Case(name: "", type: 43, expected: 3), Case(name: "example", type: 43, expected: 3)])
    }

    @Test func whatIsNoNameIsPassedOver() {
        let label = [63] + [UInt8](repeating: 0x61, count: 63)
        let tooLong = label + label + label + label + [0]
        let bad: [[UInt8]] = [[], [1], [1, 0x61], [1, 0x61, 0, 0], [64] + label + [0], [0xc0, 12], tooLong]
        var table = RouteTable([RouteSettings(domains: bad, action: .drop)])
        #expect(table.isEmpty)
        // The longest and the deepest names that there are.
        let longest = label + label + label + [61] + [UInt8](repeating: 0xff, count: 61) + [0]
        let deepest = [UInt8](repeating: 1, count: 254) + [0]
        table = RouteTable([RouteSettings(domains: bad + [longest, deepest], action: .refuse)])
        let client = RouteTableTests.v4(1)
        #expect(RouteTableTests.find(table, longest, client: client)?.labels == 4)
        #expect(RouteTableTests.find(table, deepest, client: client)?.labels == 127)
        #expect(RouteTableTests.find(table, Array(deepest.dropFirst(2)), client: client) == nil)
    }

    @Test func agreesWithAModelThatTriesEverything() {
        var random = RandomSource(seed: [4, 2])
        var matched = 0
        for round in 0..<300 {
            let routes = (0..<random.below(12)).map { _ in randomRoute(&random) }
            let table = RouteTable(routes)
            for _ in 0..<60 {
                let wire = randomName(&random, most: 6)
                let type = [1, 28, 43][random.below(3)] as UInt16
                let client = RouteTableTests.v4(random.next32() & 0x0303_0303)
                let found = RouteTableTests.find(table, wire, type: type, client: client, at: random.below(300))
                let expected = model(routes, wire, type, client)
                if found != expected { Issue.record("round \(round): \(wire) \(type) \(client.low)") }
                matched += found == nil ? 0 : 1
            }
        }
        #expect(matched > 5_000)
    }

    private func randomName(_ random: inout RandomSource, most: Int) -> [UInt8] {
        var name: [UInt8] = []
        // Three letters and two lengths: much that is alike.
        for _ in 0..<random.below(most + 1) {
            let letter = UInt8(0x61 + random.below(3))
            name += random.below(6) == 0 ? [2, letter, 1] : [1, letter]
        }
        return name + [0]
    }

    private func randomRoute(_ random: inout RandomSource) -> RouteSettings {
        var route = RouteSettings(domains: [], action: .forward(group: random.below(3)))
        for _ in 0...random.below(4) { route.domains.append(randomName(&random, most: 3)) }
        for _ in 0..<random.below(3) {
            route.clients.append(RouteTableTests.block(random.next32() & 0x0303_0303, random.below(33)))
        }
        if random.below(2) == 0 { route.types = [[1], [28, 43], [43]][random.below(3)] }
        route.caches = random.below(2) == 0
        return route
    }

    /// What the comment of `RouteTable.find` says, word by word.
    private func model(
        _ routes: [RouteSettings], _ wire: [UInt8], _ type: UInt16, _ client: NetworkAddress
    ) -> RouteMatch? {
        let name = RouteTableTests.labels(wire)
        var best: (rank: [Int], match: RouteMatch)?
        for (index, route) in routes.enumerated() {
            guard route.types.isEmpty || route.types.contains(type) else { continue }
            let blocks = route.clients.filter { AccessList(allow: [$0], deny: []).allows(client) }
            guard route.clients.isEmpty || !blocks.isEmpty else { continue }
            for domain in route.domains {
                let suffix = RouteTableTests.labels(domain)
                guard suffix.count <= name.count, Array(name.suffix(suffix.count)) == suffix else { continue }
                if type == 43 && !name.isEmpty && suffix.count == name.count { continue }
                let conditions = (route.types.isEmpty ? 0 : 1) + (route.clients.isEmpty ? 0 : 1)
                let rank = [suffix.count, conditions, blocks.map(\.prefixLength).max() ?? -1, -index]
                if let best, !best.rank.lexicographicallyPrecedes(rank) { continue }
                best = (
                    rank,
                    RouteMatch(action: route.action, caches: route.caches, labels: suffix.count, index: index)
                )
            }
        }
        return best?.match
    }
}
