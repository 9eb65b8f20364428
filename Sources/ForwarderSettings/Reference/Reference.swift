// The reference table: every key of the contract once, as data. The checker, `config explain` and the default file all
// read it here; the rows stand beside, by what they face.

/// All keys, and ways to find one.
enum Reference {
    /// In the order of the default file. `[upstream.pool]` has no rows: any key of `[pool]` may stand there.
    static let keys: [ReferenceKey] =
        topLevel + server + group + pool + health + cache + tls + dns + local + log + queryLog + dnstap + status
        + control + upstream + route + record + blocklist

    /// Sections that are written `[[so]]`, each appending.
    static let arrays: Set<String> = ["upstream", "route", "record", "blocklist"]

    /// Arrays of tables that this build does not know how to follow.
    static let laterArrays: Set<String> = ["record", "blocklist"]

    private static let byPath = Dictionary(keys.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })

    /// Every section, and the sections on the way to one: `group`, `group.*`.
    static let sections: Set<String> = {
        var sections: Set<String> = ["group", "upstream.pool"]
        for key in keys where !key.section.isEmpty { sections.insert(key.section) }
        return sections
    }()

    /// The row of a pattern such as `group.*.hedge`; `upstream.pool.x` is `pool.x`.
    static func key(_ pattern: String) -> ReferenceKey? {
        byPath[pattern.hasPrefix("upstream.pool.") ? String(pattern.dropFirst("upstream.".count)) : pattern]
    }

    /// The pattern of a path as people write it: `group.default.hedge` is `group.*.hedge`.
    static func pattern(of path: String) -> String {
        var parts = path.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        if parts.count == 3, parts[0] == "group" { parts[1] = "*" }
        return parts.joined(separator: ".")
    }

    /// Names of the keys of a section.
    static func names(in section: String) -> [String] {
        let wanted = section == "upstream.pool" ? "pool" : section
        return keys.filter { $0.section == wanted }.map(\.name)
    }

    /// The checked default of every row, by path. A default that does not check is missing: a test sees to that.
    static let defaults: [String: CheckedValue] = {
        // The texts go through the same parser and the same check as a file's.
        let text = keys.enumerated().map { "k\($0.offset) = \($0.element.written)" }.joined(separator: "\n")
        var reader = TOMLReader(path: "default", text: text)
        guard case .success(let entries) = reader.read() else { return [:] }
        var defaults: [String: CheckedValue] = [:]
        for entry in entries {
            guard let index = Int(entry.key.dropFirst()), keys.indices.contains(index) else { continue }
            let node = TOMLNode(value: entry.node.value, origin: .builtIn)
            if case .success(let value) = ValueCheck(row: keys[index], path: keys[index].path).convert(node) {
                defaults[keys[index].path] = value
            }
        }
        return defaults
    }()
}
