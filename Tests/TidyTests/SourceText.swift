// A source file as the tidy rules see it: its lines, the same lines with only the code left, and only the comments.
//
// The rules call it; it reads no file. Strings and comments are blanked by a small lexer rather than by patterns,
// since a brace in a string would end a function and a word in a comment would count as code. It knows `//`, nested
// `/* */`, plain, raw and multi-line strings; an interpolation is blanked with its string.

/// One text file, split for the rules.
struct SourceText {
    /// Relative to the repository's root.
    let path: String
    let lines: [String]
    /// `lines` with comments and the content of strings replaced by spaces.
    let code: [String]
    /// `lines` with everything but comments replaced by spaces.
    let comments: [String]

    /// - Parameter isCode: false for prose, whose lines are all taken as comment.
    init(path: String, text: String, isCode: Bool = true) {
        self.path = path
        lines = Self.split(Array(text.utf8))
        if isCode {
            var lexer = MaskingLexer(text)
            lexer.run()
            code = Self.split(lexer.code)
            comments = Self.split(lexer.comments)
        } else {
            code = lines.map { _ in "" }
            comments = lines
        }
    }

    /// The last line is not counted when it is empty, as `wc -l` does.
    private static func split(_ bytes: [UInt8]) -> [String] {
        var lines = bytes.split(separator: 10, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        if lines.last == "" { lines.removeLast() }
        return lines
    }

    var isSwift: Bool { path.hasSuffix(".swift") }

    /// Code of any language here, as opposed to prose, settings and scenarios.
    var isProgram: Bool { [".swift", ".c", ".cpp", ".h", ".py"].contains { path.hasSuffix($0) } }

    /// The SwiftPM target of the file, if it lies in Sources or Tests.
    var target: String? {
        let parts = path.split(separator: "/")
        guard parts.count > 2, parts[0] == "Sources" || parts[0] == "Tests" else { return nil }
        return String(parts[1])
    }
}

/// The identifiers and keywords of a line, in order.
func words(_ line: String) -> [Substring] {
    line.split { !($0.isLetter || $0.isNumber || $0 == "_") }
}

/// Walks a text once and writes two copies of it: code only, and comments only.
private struct MaskingLexer {
    let text: [UInt8]
    var code: [UInt8]
    var comments: [UInt8]
    var index = 0

    private static let newline = UInt8(ascii: "\n")
    private static let space = UInt8(ascii: " ")
    private static let quote = UInt8(ascii: "\"")
    private static let slash = UInt8(ascii: "/")
    private static let star = UInt8(ascii: "*")
    private static let hash = UInt8(ascii: "#")
    private static let backslash = UInt8(ascii: "\\")

    init(_ source: String) {
        text = Array(source.utf8)
        code = text.map { $0 == Self.newline ? $0 : Self.space }
        comments = code
    }

    func byte(_ offset: Int) -> UInt8 { index + offset < text.count ? text[index + offset] : 0 }

    mutating func run() {
        while index < text.count {
            if byte(0) == Self.slash, byte(1) == Self.slash {
                while index < text.count, byte(0) != Self.newline { keepComment() }
            } else if byte(0) == Self.slash, byte(1) == Self.star {
                blockComment()
            } else if byte(0) == Self.quote || (byte(0) == Self.hash && opensRawString()) {
                string()
            } else {
                code[index] = text[index]
                index += 1
            }
        }
    }

    private mutating func keepComment() {
        comments[index] = text[index]
        index += 1
    }

    private mutating func blockComment() {
        var depth = 0
        repeat {
            if byte(0) == Self.slash, byte(1) == Self.star {
                depth += 1
                keepComment()
            } else if byte(0) == Self.star, byte(1) == Self.slash {
                depth -= 1
                keepComment()
            }
            keepComment()
        } while depth > 0 && index < text.count
    }

    private func opensRawString() -> Bool {
        var offset = 0
        while byte(offset) == Self.hash { offset += 1 }
        return byte(offset) == Self.quote
    }

    /// Skips a string of any kind; interpolations are balanced by their parentheses.
    private mutating func string() {
        var hashes = 0
        while byte(0) == Self.hash {
            hashes += 1
            index += 1
        }
        let quotes = byte(1) == Self.quote && byte(2) == Self.quote ? 3 : 1
        index += quotes
        while index < text.count {
            if byte(0) == Self.backslash, hashesFollow(at: 1, hashes) {
                index += 1 + hashes
                if byte(0) == UInt8(ascii: "(") { interpolation() } else { index += 1 }
            } else if byte(0) == Self.quote, (0..<quotes).allSatisfy({ byte($0) == Self.quote }),
                hashesFollow(at: quotes, hashes)
            {
                index += quotes + hashes
                return
            } else if byte(0) == Self.newline, quotes == 1 {
                return
            } else {
                index += 1
            }
        }
    }

    private func hashesFollow(at offset: Int, _ count: Int) -> Bool {
        (0..<count).allSatisfy { byte(offset + $0) == Self.hash }
    }

    private mutating func interpolation() {
        var depth = 0
        while index < text.count {
            if byte(0) == Self.quote {
                string()
                continue
            }
            if byte(0) == UInt8(ascii: "(") { depth += 1 }
            if byte(0) == UInt8(ascii: ")") { depth -= 1 }
            index += 1
            if depth == 0 { return }
        }
    }
}
