// One `key = value` of one layer, tied to its row of the reference table. Made by AssignmentCollector, judged by
// ValueCheck, merged by SettingsDocument.

/// One key with its value.
struct Assignment: Sendable {
    let row: ReferenceKey
    /// As people write it: `group.default.hedge`, `upstream.name`.
    let path: String
    /// What merging goes by: the path, with the number of the table where tables are a list (`upstream#2.name`).
    let slot: String
    let keyOrigin: Origin
    let node: TOMLNode
}

/// A `[[upstream]]`, `[[route]]` or `[group.X]` table, whatever it holds.
struct TableSeen: Sendable {
    /// `group.spare`, `upstream#2` or `route#1`.
    let slot: String
    let origin: Origin
}
