// Rules about words: nothing unfinished, and nothing that only makes sense on the machine where it was written.
//
// They look at whole lines of every text file in the repository, prose included. The words are put together here
// from halves so that this file does not find itself.

/// Marks of unfinished work, as whole words.
let unfinishedMarks = ["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"]

/// Phrases of unfinished work, in any letter case.
let unfinishedPhrases = ["not imple" + "mented", "for n" + "ow"]

/// No line says of itself that it is unfinished; no code stops with a stub.
func unfinished(_ file: SourceText) -> [Finding] {
    file.lines.enumerated().compactMap { number, line in
        let tokens = words(line)
        if let mark = unfinishedMarks.first(where: { mark in tokens.contains { $0 == mark } }) {
            return Finding(path: file.path, line: number + 1, message: "'\(mark)'")
        }
        let lower = line.lowercased()
        if let phrase = unfinishedPhrases.first(where: { lower.contains($0) }), !isPartOfWord(phrase, in: lower) {
            return Finding(path: file.path, line: number + 1, message: "'\(phrase)'")
        }
        if file.isSwift, file.path.hasPrefix("Sources/"), words(file.code[number]).contains("fatalError") {
            return Finding(
                path: file.path, line: number + 1,
                message: "'fatalError': a stub, or a preconditionFailure that names the state")
        }
        return nil
    }
}

/// A longer word that begins like a mark is none.
private func isPartOfWord(_ phrase: String, in line: String) -> Bool {
    guard let range = line.firstRange(of: phrase) else { return true }
    let isLetterBefore = range.lowerBound > line.startIndex && line[line.index(before: range.lowerBound)].isLetter
    let isLetterAfter = range.upperBound < line.endIndex && line[range.upperBound].isLetter
    return isLetterBefore || isLetterAfter
}

/// Paths and tools of the place where the code is written.
let workshopWords = ["/wo" + "rk/", "/ro" + "ot/", "/opt/sw" + "ift", "fa" + "rm-", "issues sh" + "ow"]

/// Nothing names a path or a tool of one machine.
func workshopTraces(_ file: SourceText) -> [Finding] {
    file.lines.enumerated().compactMap { number, line in
        guard let trace = workshopWords.first(where: { line.contains($0) }) else { return nil }
        return Finding(path: file.path, line: number + 1, message: "'\(trace)' belongs to one machine")
    }
}

/// Papers that are not in the repository, in any letter case: a reader cannot look them up.
let absentPaperNames = [
    "field st" + "udy", "reliability st" + "udy", "the st" + "udy", "same st" + "udy", "CONTRACT" + ".md",
    "DESIGN" + ".md",
]

/// A list of demands, as a whole word and in capitals: "musts" may be prose.
let absentPaperMark = "MUS" + "TS"

/// Nothing cites a paper that the reader does not have: it gives the reason, or names a page in docs.
func absentPapers(_ file: SourceText) -> [Finding] {
    file.lines.enumerated().compactMap { number, line in
        let lower = line.lowercased()
        let name =
            absentPaperNames.first { lower.contains($0.lowercased()) }
            ?? (words(line).contains { $0 == absentPaperMark } ? absentPaperMark : nil)
        guard let name else { return nil }
        return Finding(
            path: file.path, line: number + 1, message: "'\(name)' is not in the repository: give the reason itself")
    }
}
