// Builds `[group.*]` and the groups that routes make of their own upstreams; finds which groups are in use, where their
// fallbacks lead, and what is written but does nothing. Called by SettingsCheck and RouteBuilder. Holds the
// UpstreamBuilder, since naming a member is what brings an upstream into use.

/// Builds the groups.
struct GroupBuilder {
    private(set) var problems: [SettingsProblem] = []
    /// Those in use: `default`, the named ones, then those of routes.
    private(set) var groups: [Settings.Group] = []
    private(set) var upstreams: UpstreamBuilder
    /// Groups that are not of routes.
    private var namedCount = 0
    /// Upstreams by name: held by a group, held by one that weighs.
    private var held: Set<String> = []
    private var weighed: Set<String> = []
    /// `[group.X]` tables but default, by name, in the order of the file.
    private let tables: [(name: String, origin: Origin)]
    private let checked: CheckedDocument

    /// Members of one group: as many as the choice among them looks at.
    static let mostMembers = 64
    /// `[group.X]` tables.
    static let mostGroups = 1_000

    /// `upstreams`: with its tables read.
    init(_ checked: CheckedDocument, _ upstreams: UpstreamBuilder) {
        self.checked = checked
        self.upstreams = upstreams
        let written = checked.document.tables.filter { $0.slot.hasPrefix("group.") && $0.slot != "group.default" }
        tables = written.prefix(GroupBuilder.mostGroups).map { table in
            (String(table.slot.dropFirst("group.".count)), table.origin)
        }
        if written.count > tables.count {
            problems.append(
                SettingsProblem(
                    "more than \(GroupBuilder.mostGroups) groups", from: written[GroupBuilder.mostGroups].origin))
        }
    }

    /// Names that a group can be called by.
    var names: [String] { ["default"] + tables.map(\.name) }

    /// Index of a group in use.
    func index(of name: String) -> Int? { groups.firstIndex { $0.name == name } }

    /// The groups in use. `routed`: the names that routes have.
    mutating func build(routed: [String]) {
        let used = reachable(from: ["default"] + routed)
        groups = names.filter { used.contains($0) }.map { group($0) }
        namedCount = groups.count
        checkFallbacks()
        for index in groups.indices {
            guard let fallback = fallback(of: groups[index].name) else { continue }
            groups[index].fallback = self.index(of: fallback)
        }
    }

    /// The group of a route that names upstreams straight away; routes with equal lists share one. nil: no good member.
    mutating func anonymous(_ texts: [CheckedValue.ListedText], number: Int, path: String) -> Int? {
        let members = members(texts, of: "'\(path)'", at: texts.first?.origin ?? .builtIn)
        guard !members.isEmpty else { return nil }
        if let known = groups[namedCount...].firstIndex(where: { $0.members == members }) { return known }
        let taken = Set(names + groups.map(\.name))
        var group = Settings.Group(name: NameCheck.made(from: "route-\(number)") { taken.contains($0) })
        group.members = members
        note(group)
        groups.append(group)
        return groups.count - 1
    }

    /// What shows only when every group is known: groups and upstreams that nobody uses, weights that nobody weighs.
    mutating func finish() {
        let count = upstreams.upstreams.count
        for table in tables where index(of: table.name) == nil {
            // Its values are checked all the same: all problems in one pass.
            _ = group(table.name)
            reportUnused(group: table.name, table.origin)
        }
        upstreams.forgetUses(after: count)
        for upstream in upstreams.defined {
            let name = upstream.settings.name
            if !held.contains(name) {
                // Its name has been refused: nobody could have used it.
                if name != UpstreamBuilder.systemWord { reportUnused(upstream) }
            } else if upstream.settings.weight != 1, !weighed.contains(name), let slot = upstream.slot {
                problems.append(
                    SettingsProblem(
                        "'upstream.weight' is not used: no group of '\(name)' has strategy = \"weighted\"",
                        from: checked.origin(slot + ".weight"), severity: .warning))
            }
        }
    }

    private mutating func group(_ name: String) -> Settings.Group {
        let slot = "group." + name
        var group = Settings.Group(name: name)
        group.strategy = checked.word(slot + ".strategy", .fastest)
        group.parallel = checked.integer(slot + ".parallel")
        group.explore = checked.integer(slot + ".explore")
        switch checked.value(slot + ".hedge") {
        case .duration(let nanoseconds): group.hedge = .after(.nanoseconds(nanoseconds))
        case .text("off"): group.hedge = .off
        default: group.hedge = .auto
        }
        group.attempts = checked.integer(slot + ".attempts")
        if case .duration(let nanoseconds) = checked.value(slot + ".attempt_timeout") {
            group.attemptTimeout = .nanoseconds(nanoseconds)
        }
        group.failoverOn = Set(
            checked.list(slot + ".failover_on").compactMap { listed in
                Reference.responseCodes.first { $0.name == listed.text }?.number
            })
        group.whenDown = checked.word(slot + ".when_down", .stale)
        checkWhenDown(group)
        let texts = checked.list(slot + ".upstreams")
        group.members = members(texts, of: "group '\(name)'", at: checked.origin(slot + ".upstreams"))
        if texts.isEmpty { fill(&group) }
        checkParallel(&group)
        note(group)
        return group
    }

    /// A group without members: default asks the public servers.
    private mutating func fill(_ group: inout Settings.Group) {
        let slot = "group.\(group.name).upstreams"
        if group.name != "default" {
            problems.append(
                SettingsProblem("group '\(group.name)' has no upstreams", from: tableOrigin(group.name, slot)))
        } else if checked.document.assignment(slot) == nil || checked.isWritten(slot) {
            // A value that was refused is not an absent one: then nobody is asked in its place.
            group.members = upstreams.embedded()
        }
    }

    private func tableOrigin(_ name: String, _ slot: String) -> Origin {
        if checked.document.assignment(slot) != nil { return checked.origin(slot) }
        return tables.first { $0.name == name }?.origin ?? .builtIn
    }

    private mutating func members(_ texts: [CheckedValue.ListedText], of owner: String, at origin: Origin) -> [Int] {
        func refuse() -> [Int] {
            problems.append(
                SettingsProblem("\(owner) has more than \(GroupBuilder.mostMembers) upstreams", from: origin))
            return []
        }
        if texts.count > GroupBuilder.mostMembers { return refuse() }
        var members: [Int] = []
        for listed in texts {
            let meant = upstreams.members(listed)
            if meant.contains(where: { members.contains($0) }) {
                problems.append(
                    SettingsProblem("\(quoted(listed.text)) is listed twice in \(owner)", from: listed.origin))
            } else {
                members += meant
            }
        }
        return members.count > GroupBuilder.mostMembers ? refuse() : members
    }

    private mutating func note(_ group: Settings.Group) {
        let names = group.members.map { upstreams.upstreams[$0].settings.name }
        held.formUnion(names)
        if group.strategy == .weighted { weighed.formUnion(names) }
    }

    private mutating func checkParallel(_ group: inout Settings.Group) {
        let slot = "group.\(group.name)"
        guard group.strategy == .parallel else {
            if group.parallel != 2, checked.isWritten(slot + ".parallel") {
                problems.append(
                    SettingsProblem(
                        "'\(slot).parallel' is not used: the strategy is \(quoted(group.strategy.rawValue))",
                        from: checked.origin(slot + ".parallel"), severity: .warning))
            }
            return
        }
        let count = group.members.count
        guard count > 0, group.parallel > count else { return }
        // One member was asked for with `strategy`, too few with `parallel`.
        let isAlone = count == 1
        problems.append(
            SettingsProblem(
                isAlone
                    ? "group '\(group.name)' has strategy = \"parallel\", but only one upstream"
                    : "'\(slot).parallel' is \(group.parallel), but the group has \(count) upstreams",
                from: checked.origin(slot + (isAlone ? ".strategy" : ".parallel")), severity: .warning))
        group.parallel = count
    }
}

// Fallbacks, and what is written for nothing.
extension GroupBuilder {
    /// The name of the group that another falls back to, whether it is there or not.
    private func fallback(of name: String) -> String? {
        let slot = "group.\(name).fallback"
        let text = checked.isWritten(slot) ? checked.text(slot) : ""
        return text.isEmpty ? nil : text
    }

    /// All that queries can come to.
    private func reachable(from roots: [String]) -> Set<String> {
        var reached: Set<String> = []
        for root in roots {
            var next: String? = root
            while let name = next, reached.insert(name).inserted { next = fallback(of: name) }
        }
        return reached
    }

    /// Names that are there, and no circles; of groups that nobody uses too.
    private mutating func checkFallbacks() {
        let names = names
        let order = Dictionary(names.enumerated().map { ($0.element, $0.offset) }, uniquingKeysWith: { a, _ in a })
        for (position, name) in names.enumerated() {
            guard let first = fallback(of: name) else { continue }
            let origin = checked.origin("group.\(name).fallback")
            guard order[first] != nil else {
                problems.append(unknown(first, origin))
                continue
            }
            // A circle is told once, where its first group says it.
            var path = [name]
            var next: String? = first
            while let group = next, let at = order[group], at > position, !path.contains(group) {
                path.append(group)
                next = fallback(of: group)
            }
            if next == name {
                problems.append(
                    SettingsProblem(
                        "unreachable fallback cycle: \((path + [name]).joined(separator: " -> "))", from: origin))
            }
        }
    }

    /// No group has that name.
    func unknown(_ name: String, _ origin: Origin) -> SettingsProblem {
        let near = EditDistance.nearest(to: name, among: names)
        return SettingsProblem(
            "no group is named \(quoted(name))", from: origin, note: near.map { "did you mean '\($0)'?" },
            help: "write the name of a [group.NAME]")
    }

    private mutating func checkWhenDown(_ group: Settings.Group) {
        let slot = "group.\(group.name)"
        let origin = checked.origin(slot + ".when_down")
        // A fallback that was refused is none that is missing.
        if checked.document.assignment(slot + ".fallback") != nil, !checked.isWritten(slot + ".fallback") { return }
        switch (group.whenDown, fallback(of: group.name)) {
        case (.fallback, nil):
            problems.append(
                SettingsProblem(
                    "'\(slot).when_down' is \"fallback\", but the group has no 'fallback'", from: origin,
                    help: "write fallback = \"NAME\" of another group"))
        case (.servfail, let name?):
            problems.append(
                SettingsProblem(
                    "'\(slot).when_down' is \"servfail\", but 'fallback' is \(quoted(name)): they contradict",
                    from: origin, help: "keep one of the two"))
        default: break
        }
    }

    /// Somebody who wrote an upstream must not have the names he asks for go to public servers instead, over a warning
    /// that nobody reads: then it is an error.
    private mutating func reportUnused(group name: String, _ origin: Origin) {
        guard upstreams.usesEmbedded else {
            return problems.append(
                SettingsProblem("group '\(name)' is never used", from: origin, severity: .warning))
        }
        problems.append(
            SettingsProblem(
                "group '\(name)' is never used, and without upstreams the public default servers would be asked",
                from: origin, help: "write its members into upstreams = [...] or [group.default]"))
    }

    /// The same of an upstream.
    private mutating func reportUnused(_ upstream: UpstreamBuilder.Built) {
        let name = upstream.settings.name
        if upstreams.usesEmbedded {
            problems.append(
                SettingsProblem(
                    "upstream '\(name)' is defined but no group uses it, and without upstreams the public default "
                        + "servers would be asked",
                    from: upstream.origin, help: "add upstreams = [\(quoted(name))]"))
        } else {
            problems.append(
                SettingsProblem(
                    "upstream '\(name)' is never used", from: upstream.origin,
                    help: "name it in upstreams = [\(quoted(name))]", severity: .warning))
        }
    }
}
