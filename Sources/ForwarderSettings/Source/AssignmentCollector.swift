// Walks one parsed file along the reference table: what is a key of ours becomes an assignment, everything else a
// problem with the nearest name as suggestion. Called by SettingsDocument for every layer. It never looks at values
// beyond telling tables from the rest.

/// Collects the assignments of one layer.
struct AssignmentCollector {
    private(set) var assignments: [Assignment] = []
    private(set) var tables: [TableSeen] = []
    private(set) var problems: [SettingsProblem] = []
    /// `[[upstream]]` and `[[route]]` tables so far, over all layers.
    private(set) var tableCounts: [String: Int]

    init(tableCounts: [String: Int]) { self.tableCounts = tableCounts }

    /// Where the walk is.
    private struct Position {
        /// As in the reference: `group.*`.
        var pattern: String
        /// As people write it: `group.default`.
        var path: String
        var slot: String

        func appending(_ name: String) -> Position {
            func join(_ a: String, _ b: String) -> String { a.isEmpty ? b : a + "." + b }
            let element = pattern == "group" ? "*" : name
            return Position(pattern: join(pattern, element), path: join(path, name), slot: join(slot, name))
        }
    }

    mutating func collect(_ entries: [TOMLEntry]) {
        walk(entries, at: Position(pattern: "", path: "", slot: ""))
    }

    private mutating func walk(_ entries: [TOMLEntry], at position: Position) {
        for entry in entries {
            let inner = position.appending(entry.key)
            if inner.pattern != "group.*", let row = Reference.key(inner.pattern) {
                // The shorthand is the same key as the long form.
                let slot = inner.slot == "upstreams" ? "group.default.upstreams" : inner.slot
                assignments.append(
                    Assignment(
                        row: row, path: inner.path, slot: slot, keyOrigin: entry.keyOrigin, node: entry.node))
            } else if Reference.sections.contains(inner.pattern) {
                enter(entry, at: inner)
            } else {
                problems.append(unknown(entry, in: position))
            }
        }
    }

    private mutating func enter(_ entry: TOMLEntry, at position: Position) {
        if Reference.arrays.contains(position.pattern) {
            enterArray(entry, at: position)
            return
        }
        guard case .table(let inner) = entry.node.value else {
            problems.append(
                SettingsProblem(
                    "'\(position.path)' is a table, got \(entry.node.value.kindName)", at: entry.node.origin.place,
                    help: "write [\(position.path)] on a line of its own, and its keys below"))
            return
        }
        if position.pattern == "group.*" {
            if let problem = NameCheck.problem("group", entry.key, at: entry.keyOrigin.place) {
                problems.append(problem)
            }
            tables.append(TableSeen(slot: position.slot, origin: entry.keyOrigin))
        }
        walk(inner, at: position)
    }

    private mutating func enterArray(_ entry: TOMLEntry, at position: Position) {
        let name = position.path
        guard case .array(let elements) = entry.node.value else {
            problems.append(
                SettingsProblem(
                    "'\(name)' is a list of tables, got \(entry.node.value.kindName)", at: entry.keyOrigin.place,
                    help: "write [[\(name)]] with two brackets: each one adds to the list"))
            return
        }
        if Reference.laterArrays.contains(name) {
            // `record = []` says that there are none, which is true.
            if let first = elements.first {
                problems.append(SettingsProblem("'[[\(name)]]' is not supported yet", at: first.origin.place))
            }
            return
        }
        for element in elements {
            guard case .table(let inner) = element.value else {
                problems.append(
                    SettingsProblem(
                        "'\(name)' is a list of tables, got \(element.value.kindName)", at: element.origin.place))
                continue
            }
            let number = (tableCounts[name] ?? 0) + 1
            tableCounts[name] = number
            let slot = "\(name)#\(number)"
            tables.append(TableSeen(slot: slot, origin: element.origin))
            walk(inner, at: Position(pattern: name, path: name, slot: slot))
        }
    }

    private func unknown(_ entry: TOMLEntry, in position: Position) -> SettingsProblem {
        let header = Reference.arrays.contains(position.pattern) ? "[[\(position.path)]]" : "[\(position.path)]"
        let isTable: Bool =
            switch entry.node.value {
            case .table: true
            case .array(let elements): elements.contains { if case .table = $0.value { true } else { false } }
            default: false
            }
        if entry.key == "upstreams", !position.path.isEmpty {
            return SettingsProblem(
                "upstreams landed in table \(header): move it above the first [table]", at: entry.keyOrigin.place,
                help: "in TOML a key belongs to the last [table] before it")
        }
        let what = isTable ? "table" : "key"
        let place = position.path.isEmpty ? "" : " in \(header)"
        var names = Reference.names(in: position.pattern)
        let prefix = position.pattern.isEmpty ? "" : position.pattern + "."
        names += Reference.sections.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
            .filter { !$0.contains(".") && $0 != "*" }.sorted()
        var problem = SettingsProblem("unknown \(what) '\(entry.key)'\(place)", at: entry.keyOrigin.place)
        if let near = EditDistance.nearest(to: entry.key, among: names) {
            problem.note = "did you mean '\(near)'?"
            if Reference.key(prefix + near) != nil {
                let path = position.path.isEmpty ? near : position.path + "." + near
                problem.help = "fleetwing config explain \(path)"
            }
        } else if !isTable {
            let homes = Reference.keys.filter { $0.name == entry.key && !$0.section.isEmpty }.map(\.section)
            if homes.count == 1 { problem.note = "it belongs in [\(homes[0])]" }
        }
        return problem
    }
}
