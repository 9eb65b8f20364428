// The routes, made ready to be asked for every query.
//
// The engine asks before the cache, for the group is part of the cache's key; without routes it costs one comparison.
// A name costs one lookup for each of its suffixes that is as deep as some route's domain, longest first. It must never
// take a hash for a name: all octets are compared. RFC 4035 3.1.4.1 (DS belongs to the parent), RFC 4343 (folding).

import DNSWire

/// All routes by their domains.
struct RouteTable: Sendable {
    /// A route's conditions and what it does.
    private struct Rule {
        var action: RouteAction
        var caches: Bool
        var clients: [ClientBlock]
        var types: [UInt16]

        /// How many kinds of conditions it has; more win among routes for the same domain.
        var conditionCount: Int { (clients.isEmpty ? 0 : 1) + (types.isEmpty ? 0 : 1) }

        /// nil when a condition does not hold; else the prefix length of the narrowest network that the client is in,
        /// -1 for a route for all clients.
        func narrowness(type: UInt16, client: NetworkAddress) -> Int? {
            if !types.isEmpty && !types.contains(type) { return nil }
            if clients.isEmpty { return -1 }
            var narrowest: Int?
            for block in clients where block.prefixLength > narrowest ?? -1 && block.contains(client) {
                narrowest = block.prefixLength
            }
            return narrowest
        }
    }

    /// One domain, and where its octets and the numbers of its routes lie.
    private struct Domain {
        var hash: UInt64
        var nameStart: Int
        var nameLength: Int
        /// In `ruleOrder`: those with more conditions first, then as in the settings.
        var rules: Range<Int>
    }

    /// Nobody outside chooses what is in the table, so that its runs are as short as they are, whatever is asked: the
    /// seed need not be a secret.
    private static let seed: (UInt64, UInt64) = (0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f)

    private var rules: [Rule] = []
    private var domains: [Domain] = []
    private var ruleOrder: [Int] = []
    private var octets: [UInt8] = []
    /// Open addressing, at most half full: a domain's place plus one, 0 = empty.
    private var places: [UInt32] = []
    /// Bit n is set when a domain of n labels exists. A name has 127 labels at most.
    private var depths: (UInt64, UInt64) = (0, 0)
    private var deepest = 0

    /// - Parameter routes: as checked. A domain that is not a whole name is passed over: no query can match it.
    init(_ routes: [RouteSettings]) {
        var routesOfDomain: [[UInt8]: [Int]] = [:]
        var inOrder: [[UInt8]] = []
        for (index, route) in routes.enumerated() {
            rules.append(
                Rule(
                    action: route.action, caches: route.caches, clients: route.clients.map(ClientBlock.init),
                    types: route.types))
            for domain in route.domains where RouteTable.labelCount(domain) != nil {
                if routesOfDomain[domain] == nil { inOrder.append(domain) }
                // The same domain twice in one route is harmless.
                routesOfDomain[domain, default: []].append(index)
            }
        }
        guard !inOrder.isEmpty else { return }
        var size = 4
        while size < inOrder.count * 2 { size *= 2 }
        places = [UInt32](repeating: 0, count: size)
        for domain in inOrder { add(domain, routesOfDomain[domain] ?? []) }
    }

    var isEmpty: Bool { domains.isEmpty }

    /// Finds the route of a query: of all routes whose conditions hold the one with the longest domain at or above the
    /// name; among those of one domain the one with more conditions, then with the narrower network, then the first.
    /// - Parameters:
    ///   - name: holds the folded name of `nameLength` octets and `labelCount` labels at `nameOffset`.
    ///   - client: a mapped address counts as IPv4.
    func find(
        _ name: borrowing ByteStore, nameOffset: Int, nameLength: Int, labelCount: Int, type: UInt16,
        client: NetworkAddress
    ) -> RouteMatch? {
        if domains.isEmpty { return nil }
        let client = client.unmapped
        var offset = nameOffset
        let end = nameOffset + nameLength
        // A DS record lies in the zone above its owner, so that asking below the cut could only deny it.
        let longest = type == RecordType.ds.rawValue && labelCount > 0 ? labelCount - 1 : labelCount
        let upper = min(longest, deepest)
        var labels = labelCount
        while labels >= 0, offset < end {
            if labels <= upper, hasDepth(labels),
                let domain = place(of: name, offset, end - offset),
                let index = best(of: domains[domain].rules, type, client)
            {
                return RouteMatch(
                    action: rules[index].action, caches: rules[index].caches, labels: labels, index: index)
            }
            offset += 1 + Int(name[offset])
            labels -= 1
        }
        return nil
    }

    /// The rule of these whose conditions hold, by the order that `find` documents.
    private func best(of range: Range<Int>, _ type: UInt16, _ client: NetworkAddress) -> Int? {
        var found: Int?
        var narrowest = -2
        for place in range {
            let index = ruleOrder[place]
            if let found, rules[index].conditionCount < rules[found].conditionCount { break }
            guard let narrowness = rules[index].narrowness(type: type, client: client), narrowness > narrowest else {
                continue
            }
            found = index
            narrowest = narrowness
        }
        return found
    }

    /// The place in `domains` of the name of `length` octets at `offset`.
    private func place(of name: borrowing ByteStore, _ offset: Int, _ length: Int) -> Int? {
        let hash = hashName(name, offset, length, seed: RouteTable.seed)
        let mask = places.count - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        // At most half of the slots are taken, so that an empty one ends the run.
        while places[slot] != 0 {
            let place = Int(places[slot]) - 1
            if domains[place].hash == hash, isName(place, name, offset, length) { return place }
            slot = (slot + 1) & mask
        }
        return nil
    }

    private func isName(_ place: Int, _ name: borrowing ByteStore, _ offset: Int, _ length: Int) -> Bool {
        guard domains[place].nameLength == length else { return false }
        let start = domains[place].nameStart
        for i in 0..<length where octets[start + i] != name[offset + i] { return false }
        return true
    }

    private func hasDepth(_ labels: Int) -> Bool {
        labels < 64 ? depths.0 >> UInt64(labels) & 1 != 0 : depths.1 >> UInt64(labels - 64) & 1 != 0
    }

    /// Puts in a domain that is not there yet.
    private mutating func add(_ domain: [UInt8], _ routes: [Int]) {
        guard let labels = RouteTable.labelCount(domain) else { return }
        var store = ByteStore(capacity: 256)
        store.copy(from: domain.span, range: 0..<domain.count, to: 0)
        let hash = hashName(store, 0, domain.count, seed: RouteTable.seed)
        let first = ruleOrder.count
        // A stable order: equal conditions stay as they are in the settings.
        for conditions in [2, 1, 0] {
            ruleOrder += routes.filter { rules[$0].conditionCount == conditions }
        }
        domains.append(
            Domain(
                hash: hash, nameStart: octets.count, nameLength: domain.count,
                rules: first..<ruleOrder.count))
        octets += domain
        var slot = Int(truncatingIfNeeded: hash) & (places.count - 1)
        while places[slot] != 0 { slot = (slot + 1) & (places.count - 1) }
        places[slot] = UInt32(truncatingIfNeeded: domains.count)
        if labels < 64 { depths.0 |= 1 << UInt64(labels) } else { depths.1 |= 1 << UInt64(labels - 64) }
        deepest = max(deepest, labels)
    }

    /// Labels of a whole name in wire form without the root; nil when it is none.
    private static func labelCount(_ name: [UInt8]) -> Int? {
        guard name.count <= 255 else { return nil }
        var place = 0
        var labels = 0
        while place < name.count {
            let length = Int(name[place])
            if length == 0 { return place + 1 == name.count ? labels : nil }
            guard length <= 63 else { return nil }
            place += 1 + length
            labels += 1
        }
        return nil
    }
}
