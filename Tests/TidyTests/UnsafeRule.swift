// The rule about `unsafe`: only where memory must be touched, and each time with its reason beside it.
//
// Strict memory safety makes the compiler ask for the word at every use; this rule says where the word may stand
// (docs/adr/0001-unsafe-in-one-pure-file.md) and that a `Safety:` comment says why it holds.

/// Modules and files that may say `unsafe`: the runtime, the daemon's border to C, the walk over the TOML reader's
/// answer, and the one pure file.
let unsafePlaces = ["Sources/ForwarderRuntime/", "Sources/fleetwingd/", "Sources/DNSWire/ByteStore.swift", "Tests/"]

/// The module whose files that import CTOML may say `unsafe`.
let tomlModule = "ForwarderSettings"

/// How far a `Safety:` comment may stand from its use.
let safetyLinesBefore = 8
let safetyLinesAfter = 3

/// `unsafe` stands only in the allowed places, each with a `Safety:` comment near it.
func unsafeUse(_ file: SourceText) -> [Finding] {
    guard file.isSwift else { return [] }
    let mayBeUnsafe =
        unsafePlaces.contains { file.path.hasPrefix($0) }
        || (file.target == tomlModule && file.code.contains { words($0).starts(with: ["import", "CTOML"]) })
    return file.code.enumerated().compactMap { number, line in
        guard line.contains("unsafe") || line.contains("@unchecked") else { return nil }
        guard line.contains("@unchecked") || words(line).contains("unsafe") else { return nil }
        if !mayBeUnsafe {
            return Finding(path: file.path, line: number + 1, message: "'unsafe' outside the places that may use it")
        }
        if file.path.hasPrefix("Tests/") || hasSafetyComment(near: number, in: file) { return nil }
        return Finding(path: file.path, line: number + 1, message: "'unsafe' without a 'Safety:' comment near it")
    }
}

/// Whether a comment nearby, in the same function, says why the use is safe.
private func hasSafetyComment(near number: Int, in file: SourceText) -> Bool {
    var line = number
    var declarationPassed = false
    while line >= 0, number - line <= safetyLinesBefore {
        let isCodeFree = file.code[line].allSatisfy { $0 == " " }
        // Above the declaration only its own comment and attributes count.
        if declarationPassed, !isCodeFree, !file.code[line].contains("@") { break }
        if file.comments[line].contains("Safety:") { return true }
        if words(file.code[line]).contains(where: { ["func", "init", "deinit", "extension"].contains($0) }) {
            declarationPassed = true
        }
        line -= 1
    }
    line = number + 1
    while line < file.lines.count, line - number <= safetyLinesAfter {
        if words(file.code[line]).contains(where: { ["func", "deinit", "extension"].contains($0) }) { break }
        if file.comments[line].contains("Safety:") { return true }
        line += 1
    }
    return false
}
