// What a key of the settings is: the row of the reference table. From these rows come the checker, `config explain` and
// the commented default file, so that they cannot disagree. Pure data and its formatting.

/// The type of a value, with what it may be.
enum ValueType: Sendable {
    case boolean
    case integer(ClosedRange<Int>, words: [String] = [])
    /// Bounds as people write them; `zero`: "0s" is allowed too, and means off or no limit.
    case duration(String, String, zero: Bool = false, words: [String] = [])
    case size(String, String, zero: Bool = false)
    /// Percent.
    case share(ClosedRange<Int>)
    /// A second.
    case rate(ClosedRange<Int>)
    /// One of these; `later`: words of the contract that this build refuses by name.
    case word([String], later: [String] = [])
    case text
    /// An array of at most so many strings; with words, each must be one of them.
    case list(words: [String] = [], most: Int = 4_096)

    /// "duration", for `config explain` and messages.
    var name: String {
        switch self {
        case .boolean: "true or false"
        case .integer(_, let words): (["an integer"] + words.map(quoted)).joined(separator: " or ")
        case .duration(_, _, _, let words): (["a duration"] + words.map(quoted)).joined(separator: " or ")
        case .size: "a size"
        case .share: "a share"
        case .rate: "a rate"
        case .word, .text: "a string"
        case .list: "an array of strings"
        }
    }

    /// What is allowed, in words; empty when anything is.
    var allowed: String {
        switch self {
        case .boolean, .text: ""
        case .integer(let range, _):
            range.upperBound == .max
                ? "at least \(range.lowerBound)" : "between \(range.lowerBound) and \(range.upperBound)"
        case .duration(let low, let high, let zero, _), .size(let low, let high, let zero):
            "between \(low) and \(high)" + (zero && low.first != "0" ? ", or \(zeroText)" : "")
        case .share(let range): "between \(range.lowerBound)% and \(range.upperBound)%"
        case .rate(let range): "between \(range.lowerBound)/s and \(range.upperBound)/s"
        case .word(let words, _): "one of " + words.joined(separator: ", ")
        case .list(let words, _): words.isEmpty ? "" : "each one of " + words.joined(separator: ", ")
        }
    }

    private var zeroText: String {
        if case .size = self { return "0B" }
        return "0s"
    }
}

/// One key.
struct ReferenceKey: Sendable {
    /// Whether this build knows what to do with the key.
    enum Standing: Sendable, Equatable {
        case built
        /// Accepted only with a value that switches the thing off; `off` is that value where it is not a plain one
        /// ("", "off", false, [], a zero).
        case later(off: String)
    }

    /// `server.workers`, `group.*.hedge`, `upstream.name`; a top-level key has no dot.
    let path: String
    let type: ValueType
    /// The default as written in a file.
    let written: String
    /// One sentence or two.
    let help: String
    let standing: Standing
    /// Takes effect by a reload, without a restart.
    let reloadable: Bool
    /// Version that brought the key.
    let since: String

    init(
        _ path: String, _ type: ValueType, _ written: String, _ help: String, standing: Standing = .built,
        reloadable: Bool = true, since: String = "0.1"
    ) {
        self.path = path
        self.type = type
        self.written = written
        self.help = help
        self.standing = standing
        self.reloadable = reloadable
        self.since = since
    }

    /// A key of the contract that this build does not know how to follow.
    static func later(
        _ path: String, _ type: ValueType, _ written: String, _ help: String, off: String = "",
        reloadable: Bool = true
    ) -> ReferenceKey {
        ReferenceKey(path, type, written, help, standing: .later(off: off), reloadable: reloadable, since: "later")
    }

    /// `pool` of `pool.max_connections`; empty for a top-level key.
    var section: String { path.lastIndex(of: ".").map { String(path[..<$0]) } ?? "" }

    /// `max_connections` of `pool.max_connections`.
    var name: String { path.lastIndex(of: ".").map { String(path[path.index(after: $0)...]) } ?? path }

    var isBuilt: Bool { standing == .built }
}
