// The rule that documents name what exists: links to files of the repository, and source files in backquotes.
//
// RepositoryTests runs it over the Markdown files. It is apart from the other rules because it asks whether a path
// exists; the question comes in as a closure, so that the rule itself opens nothing.

/// Links `[text](path)` and names such as `DNSWire/Header.swift` that lead nowhere.
func missingReferences(_ file: SourceText, exists: (String) -> Bool) -> [Finding] {
    guard file.path.hasSuffix(".md") else { return [] }
    return file.lines.enumerated().flatMap { number, line in
        let links = linkTargets(line).map { resolve($0, from: file.path) }.filter { !exists($0) }
        let sources = sourceNames(line).filter { !exists("Sources/\($0)") && !exists($0) }
        return (links + sources).map { Finding(path: file.path, line: number + 1, message: "'\($0)' is not there") }
    }
}

/// The targets of links to files, without their anchors.
private func linkTargets(_ line: String) -> [String] {
    line.split(separator: "](").dropFirst().compactMap { rest in
        guard let end = rest.firstIndex(of: ")") else { return nil }
        let path = rest[..<end].prefix { $0 != "#" }
        return path.isEmpty || path.contains("://") ? nil : String(path)
    }
}

/// A path relative to the document's folder, seen from the root.
private func resolve(_ target: String, from document: String) -> String {
    var parts = document.split(separator: "/").dropLast().map(String.init)
    for part in target.split(separator: "/") {
        if part == ".." { _ = parts.popLast() } else if part != "." { parts.append(String(part)) }
    }
    return parts.joined(separator: "/")
}

/// Names of Swift files with a folder, in backquotes.
private func sourceNames(_ line: String) -> [String] {
    let pieces = line.split(separator: "`", omittingEmptySubsequences: false)
    return stride(from: 1, to: pieces.count, by: 2).map { String(pieces[$0]) }
        .filter { $0.hasSuffix(".swift") && $0.contains("/") && !$0.contains("*") }
}
