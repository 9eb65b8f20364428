// Rules of direction and naming: who may import what, which words may not name a type or a function.
//
// The names are the field's (docs/glossary.md). A type called Manager or Context says nothing about what it does,
// and a module that imports upward undoes the pure core.

/// What each module may import. Test targets and the `fleetwing` command are free.
let allowedImports: [String: Set<String>] = [
    "DNSWire": [],
    "ForwarderCore": ["DNSWire", "Synchronization"],
    "ForwarderSettings": ["CTOML", "Glibc", "Synchronization"],
    "ForwarderRuntime": ["ForwarderCore", "DNSWire", "CLinux", "COpenSSL", "CNghttp2", "Glibc", "Synchronization"],
    "fleetwingd": [
        "ForwarderRuntime", "ForwarderSettings", "ForwarderCore", "DNSWire", "CLinux", "CSystemd", "Glibc",
        "Synchronization",
    ],
]

private let importKinds: Set<Substring> = ["struct", "class", "enum", "protocol", "typealias", "func", "let", "var"]

/// A module imports only what lies below it.
func imports(_ file: SourceText) -> [Finding] {
    guard file.isSwift, file.path.hasPrefix("Sources/"), let target = file.target,
        let allowed = allowedImports[target]
    else { return [] }
    return file.code.enumerated().compactMap { number, line in
        let tokens = words(line)
        guard let keyword = tokens.firstIndex(of: "import"), keyword <= 2 else { return nil }
        guard let module = tokens[(keyword + 1)...].first(where: { !importKinds.contains($0) }) else { return nil }
        if allowed.contains(String(module)) { return nil }
        return Finding(path: file.path, line: number + 1, message: "\(target) must not import \(module)")
    }
}

let forbiddenSuffixes = [
    "Manager", "Helper", "Helpers", "Util", "Utils", "Utility", "Utilities", "Handler", "Data", "Info", "Context",
    "Processor", "Handle",
]

/// No type ends in a word that says nothing.
func typeNames(_ file: SourceText) -> [Finding] {
    guard file.isSwift else { return [] }
    let keywords: Set<Substring> = ["struct", "class", "enum", "protocol", "actor", "typealias", "associatedtype"]
    return file.code.enumerated().flatMap { number, line -> [Finding] in
        let tokens = words(line)
        guard tokens.count > 1, !tokens.contains("import") else { return [] }
        return zip(tokens, tokens.dropFirst()).compactMap { keyword, name in
            guard keywords.contains(keyword), let suffix = forbiddenSuffixes.first(where: { name.hasSuffix($0) })
            else { return nil }
            return Finding(
                path: file.path, line: number + 1, message: "type '\(name)' ends in '\(suffix)': say what it is")
        }
    }
}

/// No function is called handle or process: say what is done.
func functionNames(_ file: SourceText) -> [Finding] {
    guard file.isSwift else { return [] }
    return file.code.enumerated().flatMap { number, line -> [Finding] in
        let tokens = words(line)
        return zip(tokens, tokens.dropFirst()).compactMap { keyword, name in
            guard keyword == "func" else { return nil }
            let verb = ["handle", "process", "manage"].first { verb in
                guard name.hasPrefix(verb) else { return false }
                return name.dropFirst(verb.count).first?.isUppercase ?? true
            }
            guard let verb else { return nil }
            return Finding(
                path: file.path, line: number + 1, message: "function '\(name)' begins with '\(verb)': name the deed")
        }
    }
}

/// The daemon's modules have no tasks, actors or suspension points: one thread per worker, plain calls.
func noTasks(_ file: SourceText) -> [Finding] {
    guard file.isSwift, file.path.hasPrefix("Sources/"), let target = file.target, allowedImports[target] != nil
    else { return [] }
    let forbidden: Set<Substring> = ["async", "await", "actor", "Task", "TaskGroup", "DispatchQueue"]
    return file.code.enumerated().compactMap { number, line in
        guard let word = words(line).first(where: { forbidden.contains($0) }) else { return nil }
        return Finding(path: file.path, line: number + 1, message: "'\(word)' in the daemon")
    }
}
