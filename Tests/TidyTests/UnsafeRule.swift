// The rule about `unsafe`: only where memory must be touched, and each time with its reason beside it.
//
// Strict memory safety makes the compiler ask for the word at every use; this rule says where the word may stand
// (docs/adr/0001-unsafe-in-one-pure-file.md) and that a `Safety:` comment says why it holds.

/// Modules and files that may say `unsafe`: the runtime, the daemon's border to C, and the one pure file.
let unsafePlaces = ["Sources/ForwarderRuntime/", "Sources/fleetwingd/", "Sources/DNSWire/ByteStore.swift", "Tests/"]

/// Modules of which only the files at their border may say `unsafe`: those that import C.
let borderingModules = ["ForwarderSettings", "fleetwing"]
let borderImports: [Substring] = ["CTOML", "Glibc"]

/// How far a `Safety:` comment may stand from its use. A run of lines that all say `unsafe` counts as one.
let safetyLinesBefore = 8
let safetyLinesAfter = 3

/// `unsafe` stands only in the allowed places, each with a `Safety:` comment near it.
func unsafeUse(_ file: SourceText) -> [Finding] {
    guard file.isSwift else { return [] }
    let importsC = borderImports.contains { name in
        file.code.contains { words($0).starts(with: ["import", name]) }
    }
    let mayBeUnsafe =
        unsafePlaces.contains { file.path.hasPrefix($0) }
        || (importsC && borderingModules.contains { file.target == $0 })
    return file.code.enumerated().compactMap { number, line in
        guard saysUnsafe(line) else { return nil }
        if !mayBeUnsafe {
            return Finding(path: file.path, line: number + 1, message: "'unsafe' outside the places that may use it")
        }
        if file.path.hasPrefix("Tests/") || hasReasonAbove(number, in: file) || hasReasonBelow(number, in: file) {
            return nil
        }
        return Finding(path: file.path, line: number + 1, message: "'unsafe' without a 'Safety:' comment near it")
    }
}

private func saysUnsafe(_ line: String) -> Bool {
    if line.contains("@unchecked") { return true }
    return line.contains("unsafe") && words(line).contains("unsafe")
}

/// Whether a comment shortly before, in the same function, says why; or the function's own comment, at any distance.
private func hasReasonAbove(_ number: Int, in file: SourceText) -> Bool {
    var distance = 0
    var isAboveDeclaration = false
    for line in (0...number).reversed() {
        let code = file.code[line]
        // Above the declaration only its own comment and attributes count.
        if isAboveDeclaration, !code.allSatisfy({ $0 == " " }), !code.contains("@") { return false }
        if isAboveDeclaration, file.lines[line].allSatisfy({ $0 == " " }) { return false }
        if file.comments[line].contains("Safety:"), distance <= safetyLinesBefore || isAboveDeclaration { return true }
        if beginsDeclaration(code) { isAboveDeclaration = true }
        if !saysUnsafe(code) { distance += 1 }
    }
    return false
}

private func hasReasonBelow(_ number: Int, in file: SourceText) -> Bool {
    var distance = 0
    for line in (number + 1)..<max(file.lines.count, number + 1) {
        if distance > safetyLinesAfter || beginsDeclaration(file.code[line]) { return false }
        if file.comments[line].contains("Safety:") {
            // A comment right above the next declaration is that one's.
            let next = file.code[line...].first { !$0.allSatisfy { $0 == " " } }
            return !beginsDeclaration(next ?? "")
        }
        if !saysUnsafe(file.code[line]) { distance += 1 }
    }
    return false
}

/// Whether the line declares a function or an extension. A call of `.init` does not.
private func beginsDeclaration(_ code: String) -> Bool {
    let tokens = words(code)
    if tokens.contains(where: { $0 == "func" || $0 == "deinit" || $0 == "extension" }) { return true }
    return tokens.contains("init") && !code.contains(".init")
}
