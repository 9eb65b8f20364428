// A scenario as it was read: settings, ranges of automatic answers, steps. README.md beside it tells the grammar.

@testable import Simulator

/// A failure of a scenario, at the line that caused it.
struct ScenarioError: Error {
    var line: Int
    var text: String
}

/// One ENTRY_BEGIN .. ENTRY_END block.
struct Entry {
    var line = 0
    /// What is compared; empty = the step's own default.
    var match: [String] = []
    var message = TestMessage()
    /// A range swallows the query: the upstream is silent.
    var isDropped = false
    /// `COOKIE:...` of the REPLY line: how a cookie option is made or compared.
    var cookie: String?
    /// `EDE:n` of the REPLY line.
    var extendedError: UInt16?
    /// `TEXT:...` of the REPLY line: the text of the extended error.
    var extendedText: String?
}

/// Answers that are given by themselves while the step's number is in `steps`.
struct AnswerRange {
    var steps: ClosedRange<Int>
    var address: String?
    var entries: [Entry] = []
}

/// One STEP, with its words after the verb as options.
struct Step {
    var line: Int
    var number: Int
    var verb: String
    var words: [String]
    var entry: Entry?

    /// The word after `key`.
    func value(_ key: String) -> String? {
        guard let index = words.firstIndex(of: key), index + 1 < words.count else { return nil }
        return words[index + 1]
    }
    func has(_ word: String) -> Bool { words.contains(word) }
    var network: String? { has("TCP") ? "tcp" : has("UDP") ? "udp" : nil }
    func failure(_ text: String) -> ScenarioError { ScenarioError(line: line, text: "STEP \(number) \(verb): \(text)") }
}

/// One file.
struct Scenario {
    var title = ""
    var settings = ScenarioSettings()
    var ranges: [AnswerRange] = []
    var steps: [Step] = []
}
