// Rules of size and shape: file, line and function length, and the head comment.
//
// The numbers are those of docs/style.md. Function length is counted by braces over code without comments and
// strings: from the line with the keyword to the line with the closing brace, both included.

let fileLineLimit = 400
let functionLineLimit = 70
let lineColumnLimit = 120

/// A file is at most 400 lines.
func fileLength(_ file: SourceText) -> [Finding] {
    guard file.lines.count > fileLineLimit, file.isProgram else { return [] }
    return [
        Finding(
            path: file.path, line: fileLineLimit + 1,
            message: "file has \(file.lines.count) lines, more than \(fileLineLimit): split it by concern")
    ]
}

/// A line of code or comment is at most 120 characters. Lines inside a multi-line string are as long as they must be.
func lineLength(_ file: SourceText) -> [Finding] {
    guard file.isProgram else { return [] }
    return file.lines.enumerated().compactMap { index, line in
        // Octets are never fewer than characters, and cheaper to count.
        guard line.utf8.count > lineColumnLimit, line.count > lineColumnLimit else { return nil }
        if file.isSwift, (file.code[index] + file.comments[index]).allSatisfy({ $0 == " " }) { return nil }
        return Finding(
            path: file.path, line: index + 1, message: "line has \(line.count) characters, more than \(lineColumnLimit)"
        )
    }
}

/// A file begins by saying what it is.
func headComment(_ file: SourceText) -> [Finding] {
    guard file.isProgram, !file.path.hasSuffix(".py") || file.lines != [] else { return [] }
    // SwiftPM wants its version line first.
    let first = file.path == "Package.swift" ? 1 : 0
    let line = file.lines.count > first ? file.lines[first] : ""
    let openers = file.path.hasSuffix(".py") ? ["#", "\"\"\""] : ["//", "/*"]
    let text = line.drop { !$0.isLetter }
    if openers.contains(where: { line.hasPrefix($0) }), text.count > 10 { return [] }
    return [Finding(path: file.path, line: first + 1, message: "no head comment that says what the file is")]
}

/// A function, initialiser, subscript or computed property is at most 70 lines.
func functionLength(_ file: SourceText) -> [Finding] {
    guard file.isSwift else { return [] }
    var scanner = FunctionScanner(file)
    return scanner.scan().compactMap { body in
        let count = body.lastLine - body.firstLine + 1
        guard count > functionLineLimit else { return nil }
        return Finding(
            path: file.path, line: body.firstLine + 1,
            message: "'\(body.keyword)' has \(count) lines, more than \(functionLineLimit)")
    }
}

/// Finds declarations with a body and where the body ends.
struct FunctionScanner {
    struct Body {
        var keyword: String
        /// From 0.
        var firstLine: Int
        var lastLine: Int
        /// Brace depth outside the body.
        var depth: Int
    }

    private var depth = 0
    private var parentheses = 0
    /// A declaration that was seen and has no body yet, and the parenthesis depth it stands at.
    private var pending: (body: Body, parentheses: Int)?
    private var open: [Body] = []
    private var done: [Body] = []
    private let code: [String]

    init(_ file: SourceText) { code = file.code }

    mutating func scan() -> [Body] {
        for (number, line) in code.enumerated() {
            var word: [UInt8] = []
            var before = UInt8(ascii: " ")
            for byte in Array(line.utf8) + [UInt8(ascii: " ")] {
                if Self.isIdentifier(byte) {
                    word.append(byte)
                    continue
                }
                if !word.isEmpty {
                    note(String(decoding: word, as: UTF8.self), after: before, before: byte, line: number)
                    word.removeAll(keepingCapacity: true)
                }
                before = byte
                punctuation(byte, line: number)
            }
        }
        return done.sorted { $0.firstLine < $1.firstLine }
    }

    private static func isIdentifier(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
    }

    private mutating func note(_ word: String, after: UInt8, before: UInt8, line: Int) {
        let begins: Bool
        switch word {
        case "func", "deinit", "var": begins = true
        case "init", "subscript":
            begins = after != UInt8(ascii: ".") && Array("(<?".utf8).contains(before)
        case "let", "case", "typealias", "struct", "enum", "class", "return":
            // The declaration before had no body (a stored property, a requirement of a protocol).
            if let waiting = pending, parentheses <= waiting.parentheses { pending = nil }
            begins = false
        default: begins = false
        }
        guard begins, parentheses == (pending?.parentheses ?? parentheses) else { return }
        let body = Body(keyword: word, firstLine: line, lastLine: line, depth: depth)
        pending = (body, parentheses)
    }

    private mutating func punctuation(_ byte: UInt8, line: Int) {
        switch byte {
        case UInt8(ascii: "("), UInt8(ascii: "["): parentheses += 1
        case UInt8(ascii: ")"), UInt8(ascii: "]"): parentheses -= 1
        case UInt8(ascii: "{"):
            if var waiting = pending, waiting.parentheses == parentheses {
                waiting.body.depth = depth
                open.append(waiting.body)
                pending = nil
            }
            depth += 1
        case UInt8(ascii: "}"):
            depth -= 1
            if let waiting = pending, waiting.parentheses == parentheses { pending = nil }
            if var body = open.last, body.depth == depth {
                body.lastLine = line
                done.append(body)
                open.removeLast()
            }
        default: break
        }
    }
}
