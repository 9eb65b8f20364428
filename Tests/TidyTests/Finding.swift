// What a tidy rule reports, and the type of a rule.
//
// A rule takes one file and returns findings; it keeps no state and opens nothing, so that RuleTests can feed it a
// few bad lines. `allRules` is the list that RepositoryTests runs over every file.

/// One breach of a rule.
struct Finding: Equatable, CustomStringConvertible {
    let path: String
    /// From 1.
    let line: Int
    let message: String

    /// As compilers write it, so that editors jump there.
    var description: String { "\(path):\(line): \(message)" }
}

/// A named rule.
struct Rule: Sendable {
    let name: String
    let check: @Sendable (SourceText) -> [Finding]
}

/// Every rule, in the order of docs/style.md.
let allRules: [Rule] = [
    Rule(name: "file length", check: fileLength),
    Rule(name: "line length", check: lineLength),
    Rule(name: "function length", check: functionLength),
    Rule(name: "head comment", check: headComment),
    Rule(name: "type names", check: typeNames),
    Rule(name: "function names", check: functionNames),
    Rule(name: "imports", check: imports),
    Rule(name: "unsafe", check: unsafeUse),
    Rule(name: "no tasks", check: noTasks),
    Rule(name: "nothing unfinished", check: unfinished),
    Rule(name: "no trace of the workshop", check: workshopTraces),
    Rule(name: "no papers from elsewhere", check: absentPapers),
]
