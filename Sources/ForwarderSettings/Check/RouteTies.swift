// Routes for one domain of which neither wins: the same conditions, or as many of them and a query that meets both.
// Called by RouteBuilder, route by route. A tie is an error: else the order of drop-ins would decide who is asked.

/// Finds ties.
struct RouteTies {
    /// When a route matches, beside its domains.
    struct Conditions {
        /// In wire form.
        let domains: [[UInt8]]
        /// Empty: for every client.
        let networks: NetworkSet
        /// Sorted; empty: for every type.
        let types: [UInt16]

        /// What two routes can have in common.
        fileprivate var kind: Kind { Kind(networks: networks, types: types) }
    }

    /// Conditions without domains.
    fileprivate struct Kind: Hashable {
        let networks: NetworkSet
        let types: [UInt16]
        var count: Int { (networks.blocks.isEmpty ? 0 : 1) + (types.isEmpty ? 0 : 1) }
    }

    /// How two kinds stand to each other.
    private enum Relation {
        /// One wins, or no query meets both.
        case apart
        case same
        case crossed
    }

    private(set) var problems: [SettingsProblem] = []
    private var origins: [Origin] = []
    /// Index into `kinds`, by route.
    private var kindOfRoute: [Int] = []
    private var kinds: [Kind] = []
    private var kindIndexes: [Kind: Int] = [:]
    /// Of two kinds, the lower index counting in `mostRoutes`.
    private var relations: [Int: Relation] = [:]
    /// The routes of each domain.
    private var routes: [[UInt8]: [Int]] = [:]

    /// Compares a route with all before it.
    mutating func add(_ conditions: Conditions, at origin: Origin) {
        let route = origins.count
        origins.append(origin)
        let kind = conditions.kind
        let index = kindIndexes[kind] ?? kinds.count
        if index == kinds.count {
            kinds.append(kind)
            kindIndexes[kind] = index
        }
        kindOfRoute.append(index)
        // Two routes are told once, however many domains they share.
        var told: Set<Int> = []
        for domain in conditions.domains {
            for other in routes[domain] ?? [] {
                let relation = relation(kindOfRoute[other], index)
                if relation != .apart, told.insert(other).inserted { report(other, route, domain, relation) }
            }
            routes[domain, default: []].append(route)
        }
    }

    private mutating func relation(_ first: Int, _ second: Int) -> Relation {
        if first == second { return .same }
        let pair = min(first, second) * RouteBuilder.mostRoutes + max(first, second)
        if let known = relations[pair] { return known }
        let found = compare(kinds[first], kinds[second])
        relations[pair] = found
        return found
    }

    private func compare(_ a: Kind, _ b: Kind) -> Relation {
        if a.count != b.count { return .apart }
        if !a.types.isEmpty, !b.types.isEmpty, Set(a.types).isDisjoint(with: b.types) { return .apart }
        if !a.networks.blocks.isEmpty, !b.networks.blocks.isEmpty, a.networks != b.networks {
            // The narrower one wins.
            if a.networks.isInside(b.networks) || b.networks.isInside(a.networks) { return .apart }
            if !a.networks.overlaps(b.networks) { return .apart }
        }
        return .crossed
    }

    private mutating func report(_ first: Int, _ second: Int, _ domain: [UInt8], _ relation: Relation) {
        let name = DomainName.text(domain)
        let who = "routes at \(places(origins[first], origins[second])) both match '\(name)'"
        problems.append(
            relation == .same
                ? SettingsProblem("\(who) with the same conditions", from: origins[second])
                : SettingsProblem(
                    "\(who), and neither has more conditions or narrower clients", from: origins[second],
                    help: "give one of them clients and types, or clients that lie inside the other's"))
    }

    /// `lines 40 and 52`, or with their files where these differ.
    private func places(_ first: Origin, _ second: Origin) -> String {
        guard let a = first.place, let b = second.place, a.path == b.path else {
            return "\(first.text) and \(second.text)"
        }
        return "lines \(a.line) and \(b.line)"
    }
}
