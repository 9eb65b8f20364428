// One thing that is wrong, or doubtful, in the settings: what, where, and what to write instead. Made by the checks,
// shown by ProblemRenderer. Never holds the value of a secret: secrets are files named by path.

/// A place in a file.
public struct SourcePlace: Sendable, Hashable {
    /// The file as it was opened.
    public let path: String
    /// From 1.
    public let line: Int
    /// From 1, in characters.
    public let column: Int
    /// Characters that the caret line spans, at least 1.
    public let length: Int

    init(path: String, line: Int, column: Int, length: Int = 1) {
        self.path = path
        self.line = line
        self.column = column
        self.length = max(1, length)
    }
}

/// One error or warning.
public struct SettingsProblem: Sendable, Equatable {
    public enum Severity: String, Sendable { case error, warning }

    public internal(set) var severity = Severity.error
    public internal(set) var message: String
    /// nil: not of a file (a command-line option, a missing file).
    public internal(set) var place: SourcePlace?
    /// The command-line option that the value came by: `--listen`.
    public internal(set) var option: String?
    /// The line of the file that `place` points into.
    public internal(set) var sourceLine: String?
    /// Shown beside the caret: "did you mean 'idle_timeout'?".
    public internal(set) var note: String?
    /// Shown below: a command or what to write.
    public internal(set) var help: String?

    init(
        _ message: String, at place: SourcePlace? = nil, note: String? = nil, help: String? = nil,
        severity: Severity = .error
    ) {
        self.message = message
        self.place = place
        self.note = note
        self.help = help
        self.severity = severity
    }

    init(
        _ message: String, from origin: Origin, note: String? = nil, help: String? = nil, severity: Severity = .error
    ) {
        self.init(message, at: origin.place, note: note, help: help, severity: severity)
        if case .option(let name) = origin { option = name }
    }
}
