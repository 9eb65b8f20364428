// `config show`: every key with the value that holds and where it comes from, as TOML that can be read back. Called by
// fleetwing. Keys of later versions appear only where a file writes them.

/// The settings that hold, as TOML with the origin of each value, or as JSON.
public func renderEffective(_ outcome: SettingsOutcome, json: Bool = false) -> String {
    let effective = EffectiveSettings(document: outcome.document)
    return json ? effective.json(outcome) : effective.text(outcome)
}

/// Lists what holds.
struct EffectiveSettings {
    let document: SettingsDocument

    /// One value.
    struct Line {
        let section: String
        let name: String
        let value: String
        let origin: String
    }

    /// In the order of the reference; tables of users where their section stands.
    func lines() -> [Line] {
        var lines: [Line] = []
        let groups = document.tables.map(\.slot).filter { $0.hasPrefix("group.") && $0 != "group.default" }
        for row in Reference.keys where !Reference.arrays.contains(row.section) {
            if row.path == "upstreams" { continue }
            if row.section == "group.*" {
                if row.name == Reference.group[0].name {
                    for group in ["group.default"] + groups {
                        for key in Reference.group { add(&lines, key, group, "\(group).\(key.name)") }
                    }
                }
            } else {
                add(&lines, row, row.section, row.path)
            }
        }
        for table in document.tables where table.slot.hasPrefix("upstream#") {
            for key in Reference.upstream where isWritten(table, key) || hasDefault(key, table) {
                add(&lines, key, table.slot, "\(table.slot).\(key.name)")
            }
            for key in Reference.pool where document.assignment("\(table.slot).pool.\(key.name)") != nil {
                add(&lines, key, table.slot + ".pool", "\(table.slot).pool.\(key.name)")
            }
        }
        for table in document.tables where table.slot.hasPrefix("route#") {
            // An empty default says nothing.
            for key in Reference.route where isWritten(table, key) || key.written != "[]" && key.written != "\"\"" {
                add(&lines, key, table.slot, "\(table.slot).\(key.name)")
            }
        }
        return lines
    }

    private func isWritten(_ table: TableSeen, _ key: ReferenceKey) -> Bool {
        document.assignment("\(table.slot).\(key.name)") != nil
    }

    /// Whether a default is worth a line: a name and a URL have none, and TLS keys are for encrypted upstreams only.
    private func hasDefault(_ key: ReferenceKey, _ table: TableSeen) -> Bool {
        if key.name == "name" || key.name == "url" { return false }
        guard SecurityBuilder.keys.contains(key.name) else { return true }
        guard case .string(let text)? = document.assignment("\(table.slot).url")?.node.value,
            case .success(let url) = UpstreamURL.parse(text)
        else { return false }
        return key.name == "http_method" ? url.transport == .https : url.transport.isEncrypted
    }

    private func add(_ lines: inout [Line], _ row: ReferenceKey, _ section: String, _ slot: String) {
        if let assignment = document.assignment(slot) {
            lines.append(
                Line(
                    section: section, name: row.name, value: assignment.node.value.written,
                    origin: assignment.node.origin.text))
        } else if row.isBuilt {
            lines.append(Line(section: section, name: row.name, value: defaultText(row, section), origin: "default"))
        }
    }

    /// A profile stands for two keys; shown is what it makes of them.
    private func defaultText(_ row: ReferenceKey, _ section: String) -> String {
        if section == "pool", row.name == "max_connections" || row.name == "idle_timeout",
            case .string(let name)? = document.assignment("pool.profile")?.node.value,
            let profile = PoolBuilder.profiles[name]
        {
            return row.name == "max_connections"
                ? "\(profile.connections)"
                : quoted(Quantity.durationText(Int(profile.idle.components.seconds) * 1_000_000_000))
        }
        return row.written
    }

    func text(_ outcome: SettingsOutcome) -> String {
        var text = "# from \(outcome.files.joined(separator: ", "))\n"
        if outcome.files.isEmpty { text = "# no file: built-in defaults\n" }
        var section = ""
        for line in lines() {
            if line.section != section {
                section = line.section
                text += "\n" + header(section) + "\n"
            }
            let setting = "\(line.name) = \(line.value)"
            text += setting + String(repeating: " ", count: max(1, 40 - setting.count)) + "# \(line.origin)\n"
            if line.section == "group.default", line.name == "upstreams", line.value == "[]" {
                text += embedded()
            }
        }
        return text
    }

    private func embedded() -> String {
        EmbeddedDefault.upstreams.map { server in
            "# embedded default: \(server.url), \(server.addresses.joined(separator: ", "))\n"
        }.joined()
    }

    private func header(_ section: String) -> String {
        guard let mark = section.firstIndex(of: "#") else { return "[\(section)]" }
        return section.hasSuffix(".pool") ? "[upstream.pool]" : "[[\(section[..<mark])]]"
    }

    func json(_ outcome: SettingsOutcome) -> String {
        let values = lines().map { line in
            JSONText.object([
                ("key", quoted(line.section.isEmpty ? line.name : "\(line.section).\(line.name)")),
                ("value", quoted(line.value)), ("origin", quoted(line.origin)),
            ])
        }
        return JSONText.object([
            ("schema", "1"), ("files", JSONText.array(outcome.files.map(quoted))),
            ("settings", JSONText.array(values)),
        ]) + "\n"
    }
}
