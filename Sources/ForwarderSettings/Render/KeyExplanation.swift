// `config explain KEY`: what a key is, from its row of the reference table, and what holds for it now. Called by
// fleetwing.

/// Explains a key, or everything in a section. nil: there is no such key; then `suggestion` may know a near one.
public func explain(_ path: String, in outcome: SettingsOutcome? = nil, json: Bool = false) -> String? {
    let pattern = Reference.pattern(of: path)
    if let row = Reference.key(pattern) {
        let explanation = KeyExplanation(row: row, path: path, outcome: outcome)
        return json ? explanation.json + "\n" : explanation.text
    }
    let section = Reference.keys.filter { $0.section == (pattern == "upstream.pool" ? "pool" : pattern) }
    guard !section.isEmpty, !pattern.isEmpty else { return nil }
    let explanations = section.map { KeyExplanation(row: $0, path: path + "." + $0.name, outcome: outcome) }
    return json
        ? JSONText.array(explanations.map(\.json)) + "\n" : explanations.map(\.text).joined(separator: "\n")
}

/// The key that someone may have meant.
public func suggestion(for path: String) -> String? {
    let pattern = Reference.pattern(of: path)
    if let near = EditDistance.nearest(to: pattern, among: Reference.keys.map(\.path)) {
        return near.replacing("*", with: "default")
    }
    let alone = Reference.keys.filter { $0.name == path }
    return alone.count == 1 ? alone[0].path.replacing("*", with: "default") : nil
}

/// One key, explained.
struct KeyExplanation {
    let row: ReferenceKey
    let path: String
    let outcome: SettingsOutcome?

    private var assignment: Assignment? {
        // The tables of [[upstream]] are many; for them only the default is told.
        outcome?.document.assignment(path == "upstreams" ? "group.default.upstreams" : path)
    }

    var text: String {
        var lines = [path, "  \(row.help)", "  type:       \(row.type.name)"]
        if !row.type.allowed.isEmpty { lines.append("  allowed:    \(row.type.allowed)") }
        lines.append("  default:    \(row.written)")
        if row.isBuilt {
            lines.append("  applies:    \(row.reloadable ? "at reload" : "at restart")")
            lines.append("  since:      \(row.since)")
            if path.hasPrefix("pool.") { lines.append("  also in:    [upstream.pool], for one upstream") }
        } else {
            lines.append("  not supported yet: only a value that switches it off is accepted\(offText)")
        }
        if let assignment {
            lines.append("  now:        \(assignment.node.value.written)   # \(assignment.node.origin.text)")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private var offText: String {
        if case .later(let off) = row.standing, !off.isEmpty { return ", such as \(off)" }
        return ""
    }

    var json: String {
        JSONText.object([
            ("schema", "1"), ("key", quoted(path)), ("help", quoted(row.help)), ("type", quoted(row.type.name)),
            ("allowed", quoted(row.type.allowed)), ("default", quoted(row.written)),
            ("supported", row.isBuilt ? "true" : "false"), ("reloadable", row.reloadable ? "true" : "false"),
            ("since", quoted(row.since)), ("value", assignment.map { quoted($0.node.value.written) } ?? "null"),
            ("origin", assignment.map { quoted($0.node.origin.text) } ?? "null"),
        ])
    }
}
