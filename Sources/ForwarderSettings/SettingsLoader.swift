// The way in: which file is read, its drop-ins, the command line on top; then the checks. Called by fleetwingd at start
// and by fleetwing's check and config. Order: built-in defaults < file < drop-ins < command line. The environment says
// at most which file (FLEETWING_CONFIG).

/// What came of loading: settings when there was no error, and every problem that was found.
public struct SettingsOutcome: Sendable {
    /// nil when there was an error.
    public let settings: Settings?
    /// All errors and warnings, in the order of the files.
    public let problems: [SettingsProblem]
    /// The files read, the main one first; empty = the embedded default.
    public let files: [String]
    let document: SettingsDocument

    public var errorCount: Int { problems.filter { $0.severity == .error }.count }
    public var warningCount: Int { problems.count - errorCount }
}

/// The file that is read when nobody names one, if it is there.
public let defaultSettingsPath = "/etc/fleetwing/fleetwing.toml"

/// Exit code for a configuration with errors: EX_CONFIG of sysexits.
public let configurationExitCode: Int32 = 78

/// Loads and checks the settings. `path`: the file that was named; nil = FLEETWING_CONFIG, else `defaultSettingsPath`
/// if it is there, else the embedded default. Never fails but through the outcome's problems.
public func loadSettings(path: String?, overrides: [SettingsOverride]) -> SettingsOutcome {
    let files = SettingsFiles.real()
    let named = path ?? files.environmentPath
    return SettingsLoader(files: files, defaultPath: defaultSettingsPath).load(path: named, overrides: overrides)
}

/// Loads by way of a given machine.
struct SettingsLoader {
    let files: SettingsFiles
    /// Read if it is there and no other is named.
    let defaultPath: String

    /// Drop-ins that one include list may bring.
    static let mostDropIns = 256

    private var document = SettingsDocument()
    private var problems: [SettingsProblem] = []
    private var lines: [String: [String]] = [:]
    private var readFiles: [String] = []

    init(files: SettingsFiles, defaultPath: String) {
        self.files = files
        self.defaultPath = defaultPath
    }

    func load(path: String?, overrides: [SettingsOverride]) -> SettingsOutcome {
        var loader = self
        return loader.run(path, overrides)
    }

    private mutating func run(_ path: String?, _ overrides: [SettingsOverride]) -> SettingsOutcome {
        if readMain(path) { readDropIns() }
        for override in overrides { document.add(override) }
        var check = SettingsCheck(document, files: files)
        let settings = check.run()
        problems += check.problems
        let sorted = inOrder(problems).map(withSourceLine)
        let good = !sorted.contains { $0.severity == .error }
        return SettingsOutcome(
            settings: good ? settings : nil, problems: sorted, files: readFiles, document: document)
    }

    /// False when there is no file at all.
    private mutating func readMain(_ path: String?) -> Bool {
        if let path { return read(path, mayBeMissing: false) }
        return read(defaultPath, mayBeMissing: true)
    }

    private mutating func read(_ path: String, mayBeMissing: Bool, from origin: Origin? = nil) -> Bool {
        let text: String
        switch files.read(path) {
        case .success(let content): text = content
        case .failure(let error):
            if error.missing && mayBeMissing { return false }
            problems.append(
                SettingsProblem(
                    "cannot read \(path): \(error.reason)", from: origin ?? .builtIn,
                    help: origin == nil && error.missing ? "fleetwing config default > \(path)" : nil))
            return false
        }
        readFiles.append(path)
        var reader = TOMLReader(path: path, text: text)
        lines[path] = reader.lines
        switch reader.read() {
        case .success(let entries):
            document.add(entries)
            return true
        case .failure(let error):
            problems.append(SettingsProblem("not valid TOML: \(error.message)", at: error.place))
            return false
        }
    }

    private mutating func readDropIns() {
        guard let main = readFiles.first, let row = Reference.key("include") else { return }
        let folder = main.lastIndex(of: "/").map { String(main[...$0]) } ?? ""
        var included: CheckedValue? = Reference.defaults["include"]
        if let assignment = document.assignment("include") {
            // A list that does not check is reported by SettingsCheck.
            included = try? ValueCheck(row: row, path: "include").check(assignment.node).get()
        }
        guard case .list(let patterns) = included else { return }
        for pattern in patterns {
            let names = expand(pattern.text, folder)
            if names.count > SettingsLoader.mostDropIns {
                problems.append(
                    SettingsProblem(
                        "\(quoted(pattern.text)) matches more than \(SettingsLoader.mostDropIns) files",
                        from: pattern.origin))
            }
            for name in names.prefix(SettingsLoader.mostDropIns) where !readFiles.contains(name) {
                let before = document.assignment("include")?.node
                _ = read(name, mayBeMissing: false, from: pattern.origin)
                if let now = document.assignment("include"), now.node != before {
                    problems.append(
                        SettingsProblem(
                            "'include' belongs in the main file, not in an included one", from: now.keyOrigin))
                }
            }
        }
    }

    /// Files that a pattern names, sorted. `*` and `?` stand in the last part only.
    private func expand(_ pattern: String, _ base: String) -> [String] {
        let full = pattern.hasPrefix("/") ? pattern : base + pattern
        guard full.contains("*") || full.contains("?") else { return [full] }
        let cut = full.lastIndex(of: "/").map { full.index(after: $0) } ?? full.startIndex
        let folder = String(full[..<cut])
        let wanted = Array(full[cut...].unicodeScalars)
        return files.list(folder.isEmpty ? "." : folder)
            .filter { !$0.hasPrefix(".") && FilePattern.matches(Array($0.unicodeScalars), wanted) }
            .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            .map { folder + $0 }
    }

    /// By file in the order of reading, then line and column; what has no place stays in front.
    private func inOrder(_ problems: [SettingsProblem]) -> [SettingsProblem] {
        func rank(_ problem: SettingsProblem) -> (Int, Int, Int) {
            guard let place = problem.place else { return (problem.option == nil ? -1 : Int.max, 0, 0) }
            return (readFiles.firstIndex(of: place.path) ?? readFiles.count, place.line, place.column)
        }
        return problems.enumerated()
            .sorted { a, b in
                let (first, second) = (rank(a.element), rank(b.element))
                return first == second ? a.offset < b.offset : first < second
            }
            .map(\.element)
    }

    private func withSourceLine(_ problem: SettingsProblem) -> SettingsProblem {
        guard let place = problem.place, let lines = lines[place.path], lines.indices.contains(place.line - 1) else {
            return problem
        }
        var problem = problem
        problem.sourceLine = lines[place.line - 1]
        return problem
    }
}
