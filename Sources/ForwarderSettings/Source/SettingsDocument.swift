// All layers as written, merged: built-in defaults < file < drop-ins < command line. Tables merge, scalars and plain
// arrays are replaced, [[arrays]] append; the origin of every value is kept. Made by SettingsLoader, judged by
// SettingsCheck, shown by `config show`. Whether a value is good is not asked here.

/// The merged layers.
struct SettingsDocument: Sendable {
    /// Of every layer, overridden ones too, in order.
    private(set) var assignments: [Assignment] = []
    /// The last assignment of each slot: an index into `assignments`.
    private(set) var winners: [String: Int] = [:]
    /// `[[upstream]]`, `[[route]]` and `[group.X]` tables, each once.
    private(set) var tables: [TableSeen] = []
    private var tableSlots: Set<String> = []
    private(set) var problems: [SettingsProblem] = []
    private var tableCounts: [String: Int] = [:]

    /// What holds for a slot; nil when only the default does.
    func assignment(_ slot: String) -> Assignment? {
        winners[slot].map { assignments[$0] }
    }

    /// Puts one file on top.
    mutating func add(_ entries: [TOMLEntry]) {
        var collector = AssignmentCollector(tableCounts: tableCounts)
        collector.collect(entries)
        tableCounts = collector.tableCounts
        problems += collector.problems
        for table in collector.tables where tableSlots.insert(table.slot).inserted { tables.append(table) }
        var seen: [String: Assignment] = [:]
        for assignment in collector.assignments {
            // TOML refuses a key twice, but not the shorthand beside the long form. An empty one says nothing.
            if let first = seen[assignment.slot] {
                if assignment.node.value == .array([]) { continue }
                if first.node.value != .array([]) {
                    problems.append(
                        SettingsProblem(
                            "'upstreams' and 'group.default.upstreams' are the same key: keep one",
                            at: assignment.keyOrigin.place))
                }
            }
            seen[assignment.slot] = assignment
            put(assignment)
        }
    }

    /// Puts an option of the command line on top.
    mutating func add(_ override: SettingsOverride) {
        guard let row = Reference.key(Reference.pattern(of: override.path)) else { return }
        let origin = Origin.option(override.option)
        put(
            Assignment(
                row: row, path: override.path,
                slot: override.path == "upstreams" ? "group.default.upstreams" : override.path,
                keyOrigin: origin, node: TOMLNode(value: override.value, origin: origin)))
    }

    private mutating func put(_ assignment: Assignment) {
        assignments.append(assignment)
        winners[assignment.slot] = assignments.count - 1
    }
}
