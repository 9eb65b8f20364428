// Loading from files that exist only in a test.

@testable import ForwarderSettings

/// Loads `main` as /etc/f.toml, with other files beside it, on a machine of 4 CPUs and many open files.
func load(
    _ main: String?, beside files: [String: String] = [:], overrides: [SettingsOverride] = [], path: String? = nil,
    openFileLimit: Int = 1_000_000
) -> SettingsOutcome {
    var all = files
    if let main { all["/etc/f.toml"] = main }
    let content = all
    let machine = SettingsFiles(
        read: { path in
            content[path].map { .success($0) }
                ?? .failure(SettingsFiles.ReadError(reason: "no such file", missing: true))
        },
        list: { folder in content.keys.filter { $0.hasPrefix(folder) }.map { String($0.dropFirst(folder.count)) } },
        trustAnchors: { path in
            content[path] == nil ? SettingsFiles.ReadError(reason: "no such file", missing: true) : nil
        },
        usableCPUs: 4, openFileLimit: openFileLimit, environmentPath: nil)
    return SettingsLoader(files: machine, defaultPath: "/etc/f.toml").load(path: path, overrides: overrides)
}

/// All problems as `check` prints them, without colour.
func rendered(_ outcome: SettingsOutcome) -> String {
    ProblemRenderer(color: false).text(outcome.problems)
}

/// `line:column message` of each problem.
func brief(_ outcome: SettingsOutcome) -> [String] {
    outcome.problems.map { problem in
        (problem.place.map { "\($0.line):\($0.column) " } ?? "") + problem.message
    }
}
