// Which groups a snapshot speaks of. A key holds a group's index, which may be another group's after the configuration
// changed; the file names groups by their identity, and an answer is loaded for that identity or not at all.

/// The groups whose answers are written, by index and by identity.
struct SnapshotGroups {
    /// Never written: the engine's own group for host names, and groups whose answers belong to a network.
    private static let hiddenIdentity = "-"
    /// By index in `EngineSettings.groups`: place in the file's table.
    private(set) var places: [UInt16?] = []
    /// The file's table.
    private(set) var identities: [[UInt8]] = []
    /// By identity: the first group that has it.
    private var indexes: [[UInt8]: UInt16] = [:]

    init(_ settings: EngineSettings) {
        var length = 2
        for (index, group) in settings.groups.enumerated() {
            let identity = Array((group.identity.isEmpty ? group.name : group.identity).utf8)
            let isHidden = index == settings.bootstrapGroup || group.identity == SnapshotGroups.hiddenIdentity
            length += 2 + identity.count
            guard !isHidden, length <= SnapshotFormat.longestTable, index < Int(UInt16.max), indexes[identity] == nil
            else {
                places.append(nil)
                continue
            }
            places.append(UInt16(identities.count))
            identities.append(identity)
            indexes[identity] = UInt16(index)
        }
    }

    /// The index of the configured group with this identity.
    func index(of identity: [UInt8]) -> UInt16? { indexes[identity] }
}
