// The groups and routes of a scenario: `group`, `fallback` and `route` lines, turned into those of EngineSettings.
//
// A scenario without such lines has one group of all its upstreams.

import DNSWire
import ForwarderCore

@testable import Simulator

/// Groups besides the first one, and routes, by name as they were written.
struct ScenarioRouting {
    /// A group's name and the addresses of its members.
    private var groups: [(name: String, members: [String])] = []
    private var fallback: String?
    private var routes: [(route: RouteSettings, group: String?)] = []

    /// `group: NAME ADDRESS...`: these upstreams are not in the first group, unless a later line says so.
    mutating func addGroup(_ values: [String]) { groups.append((values[0], Array(values.dropFirst()))) }

    /// `fallback: NAME`, of the first group.
    mutating func setFallback(_ name: String) { fallback = name }

    /// `route: domain=a.example,b.example types=A,AAAA clients=10.1.0.0/16 action=refuse group=NAME cache=no`. Without
    /// `action` it is forwarded.
    mutating func addRoute(_ values: [String], block: (String) throws -> NetworkBlock) throws {
        var route = RouteSettings(domains: [], action: .forward(group: 0))
        var group: String?
        for value in values {
            let half = value.split(separator: "=", maxSplits: 1).map(String.init)
            guard half.count == 2 else { throw TestFormatError("KEY=VALUE, not \(value)") }
            let parts = half[1].split(separator: ",").map(String.init)
            switch half[0] {
            case "domain": route.domains = try parts.map { try TestName($0).folded.wire }
            case "types": route.types = parts.compactMap { TestType.type($0) }
            case "clients": route.clients = try parts.map(block)
            case "group": group = half[1]
            case "cache": route.caches = half[1] != "no"
            case "action":
                let known: [String: RouteAction] = ["refuse": .refuse, "nxdomain": .nameError, "drop": .drop]
                guard let action = known[half[1]] else { throw TestFormatError("unknown action \(half[1])") }
                route.action = action
            default: throw TestFormatError("unknown word \(half[0]) of a route")
            }
        }
        routes.append((route, group))
    }

    /// - Parameter whole: the first group's settings; the others share them, but for `fallback` and `when_down`.
    func apply(to settings: inout EngineSettings, whole: GroupSettings) throws {
        let named = settings.upstreams.map(\.name)
        var first = whole
        let taken = Set(groups.flatMap(\.members))
        first.members = named.indices.filter { !taken.contains(named[$0]) }
        settings.groups = [first]
        for (name, members) in groups {
            if name == whole.name {
                settings.groups[0].members = try members.map { try ScenarioRouting.index($0, in: named) }
                continue
            }
            var group = whole
            group.name = name
            group.whenDown = .stale
            group.members = try members.map { try ScenarioRouting.index($0, in: named) }
            settings.groups.append(group)
        }
        let names = settings.groups.map(\.name)
        if let fallback { settings.groups[0].fallback = try ScenarioRouting.index(fallback, in: names) }
        for (route, group) in routes {
            var route = route
            if let group { route.action = .forward(group: try ScenarioRouting.index(group, in: names)) }
            settings.routes.append(route)
        }
    }

    private static func index(_ name: String, in names: [String]) throws -> Int {
        guard let index = names.firstIndex(of: name) else { throw TestFormatError("there is no \(name)") }
        return index
    }
}
