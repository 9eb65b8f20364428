// Builds `[[route]]`: domains, conditions, and where a matching query goes. Called by SettingsCheck, after the named
// groups and before the groups are finished. Which of two routes wins must never hang on their order in the file:
// RouteTies finds those of which neither does.

/// Builds the routes.
struct RouteBuilder {
    private(set) var problems: [SettingsProblem] = []
    /// In the order in which they win.
    private(set) var routes: [Settings.Route] = []
    private let checked: CheckedDocument
    private let tables: [TableSeen]

    static let mostRoutes = 1_000

    init(_ checked: CheckedDocument) {
        self.checked = checked
        tables = checked.document.tables.filter { $0.slot.hasPrefix("route#") }
    }

    /// The groups that routes name: they are in use.
    var groupNames: [String] { tables.map { text($0, "group") }.filter { !$0.isEmpty } }

    mutating func build(_ groups: inout GroupBuilder) {
        if tables.count > RouteBuilder.mostRoutes {
            problems.append(
                SettingsProblem(
                    "more than \(RouteBuilder.mostRoutes) routes", from: tables[RouteBuilder.mostRoutes].origin))
            return
        }
        var ties = RouteTies()
        var built: [(route: Settings.Route, networks: NetworkSet)] = []
        var domainCount = 0
        for (index, table) in tables.enumerated() {
            let action = action(table, number: index + 1, &groups)
            guard let conditions = conditions(table) else { continue }
            domainCount += conditions.domains.count
            if domainCount > Reference.mostRouteDomains {
                problems.append(
                    SettingsProblem(
                        "more than \(Reference.mostRouteDomains) domains in all routes",
                        from: checked.origin(table.slot + ".domains")))
                return
            }
            ties.add(conditions, at: table.origin)
            guard let action else { continue }
            var route = Settings.Route(domains: conditions.domains, action: action)
            route.clients = conditions.networks.blocks
            route.types = conditions.types
            route.cache = checked.boolean(table.slot + ".cache", fallback: "route.cache")
            built.append((route, conditions.networks))
        }
        problems += ties.problems
        // What lies strictly inside another is narrower, and so stands before it.
        routes = built.enumerated().sorted { a, b in
            let (first, second) = (a.element, b.element)
            if first.route.conditionCount != second.route.conditionCount {
                return first.route.conditionCount > second.route.conditionCount
            }
            if first.networks.isNarrower(than: second.networks) { return true }
            return !second.networks.isNarrower(than: first.networks) && a.offset < b.offset
        }.map(\.element.route)
    }

    /// nil: something in it is wrong, and has been told.
    private mutating func conditions(_ table: TableSeen) -> RouteTies.Conditions? {
        let before = problems.count
        let domains = domains(table)
        var list = NetworkList()
        let clients = list.read(self.list(table, "clients"), path: "route.clients", words: true)
        problems += list.problems
        let types = types(table)
        let isBroken = ["domains", "clients", "types"].contains { isRefused(table, $0) }
        guard problems.count == before, !isBroken else { return nil }
        if domains.isEmpty, clients.isEmpty, types.isEmpty {
            problems.append(
                SettingsProblem(
                    "[[route]] has neither domains nor clients nor types", from: table.origin,
                    help: "what all other queries get is [group.default]"))
            return nil
        }
        return RouteTies.Conditions(
            domains: domains.isEmpty ? [[0]] : domains, networks: NetworkSet(clients), types: types)
    }

    private mutating func domains(_ table: TableSeen) -> [[UInt8]] {
        var domains: [[UInt8]] = []
        var seen: Set<[UInt8]> = []
        for listed in list(table, "domains") {
            switch DomainName.parse(listed.text) {
            case .success(let name):
                if name.starts(with: [1, UInt8(ascii: "*")]) {
                    problems.append(
                        SettingsProblem(
                            "'route.domains': \(quoted(listed.text)) has a '*'", from: listed.origin,
                            help: "a domain matches with all names below it: write \(quoted(parent(name)))"))
                } else if !seen.insert(name).inserted {
                    problems.append(
                        SettingsProblem(
                            "\(quoted(listed.text)) is listed twice in 'route.domains'", from: listed.origin))
                } else {
                    domains.append(name)
                }
            case .failure(let refusal):
                problems.append(
                    SettingsProblem(
                        "'route.domains': \(quoted(listed.text)) \(refusal.words)", from: listed.origin,
                        help: refusal.help))
            }
        }
        return domains
    }

    private func parent(_ name: [UInt8]) -> String { DomainName.text(Array(name.dropFirst(2))) }

    private mutating func types(_ table: TableSeen) -> [UInt16] {
        var types: Set<UInt16> = []
        for listed in list(table, "types") {
            switch RecordType.parse(listed.text) {
            case .success(let type):
                if !types.insert(type).inserted {
                    problems.append(
                        SettingsProblem(
                            "\(quoted(listed.text)) is listed twice in 'route.types'", from: listed.origin))
                }
            case .failure(let refusal):
                problems.append(
                    SettingsProblem(
                        "'route.types': \(quoted(listed.text)) \(refusal.words)", from: listed.origin,
                        note: refusal.near.map { "did you mean '\($0)'?" }))
            }
        }
        return types.sorted()
    }

    /// nil: told already.
    private mutating func action(
        _ table: TableSeen, number: Int, _ groups: inout GroupBuilder
    ) -> Settings.Route.Action? {
        let (name, texts) = (text(table, "group"), list(table, "upstreams"))
        if ["action", "group", "upstreams"].contains(where: { isRefused(table, $0) }) { return nil }
        let word = text(table, "action", fallback: "route.action")
        if word != "forward" {
            for key in [name.isEmpty ? nil : "group", texts.isEmpty ? nil : "upstreams"].compactMap({ $0 }) {
                problems.append(
                    SettingsProblem(
                        "'route.\(key)' is for action = \"forward\", and this one is \(quoted(word))",
                        from: checked.origin("\(table.slot).\(key)")))
            }
            return word == "refuse" ? .refuse : word == "nxdomain" ? .nxdomain : .drop
        }
        switch (name.isEmpty, texts.isEmpty) {
        case (true, true):
            problems.append(
                SettingsProblem(
                    "[[route]] has neither group nor upstreams", from: table.origin,
                    help: "write who is asked, or another action: refuse, nxdomain, drop"))
            return nil
        case (false, false):
            problems.append(
                SettingsProblem(
                    "[[route]] has both group and upstreams: keep one",
                    from: checked.origin(table.slot + ".upstreams")))
            return nil
        case (true, false):
            return groups.anonymous(texts, number: number, path: "route.upstreams").map { .forward(group: $0) }
        case (false, true):
            if let index = groups.index(of: name) { return .forward(group: index) }
            problems.append(groups.unknown(name, checked.origin(table.slot + ".group")))
            return nil
        }
    }

    private func text(_ table: TableSeen, _ key: String, fallback: String? = nil) -> String {
        let slot = "\(table.slot).\(key)"
        return checked.isWritten(slot) ? checked.text(slot) : fallback.map { checked.text($0) } ?? ""
    }

    /// Empty when it is not written.
    private func list(_ table: TableSeen, _ key: String) -> [CheckedValue.ListedText] {
        let slot = "\(table.slot).\(key)"
        return checked.isWritten(slot) ? checked.list(slot) : []
    }

    private func isRefused(_ table: TableSeen, _ key: String) -> Bool {
        let slot = "\(table.slot).\(key)"
        return checked.document.assignment(slot) != nil && !checked.isWritten(slot)
    }
}
