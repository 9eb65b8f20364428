// Problems as text for people and as JSON for programs. Called by fleetwing check and by both daemons' starts. What
// comes from a file may hold anything: control characters never reach the terminal.

/// Renders problems.
public struct ProblemRenderer: Sendable {
    private let color: Bool

    /// `color`: only when the output is a terminal and NO_COLOR is not set; the caller knows.
    public init(color: Bool) { self.color = color }

    /// All problems and the count line. `tail`: what follows the count: "the running configuration is unchanged".
    public func text(_ problems: [SettingsProblem], tail: String? = nil) -> String {
        guard !problems.isEmpty else { return "" }
        let blocks = problems.map(text).joined(separator: "\n\n")
        let errors = problems.filter { $0.severity == .error }.count
        let warnings = problems.count - errors
        var counts: [String] = []
        if errors > 0 { counts.append("\(errors) error\(errors == 1 ? "" : "s")") }
        if warnings > 0 { counts.append("\(warnings) warning\(warnings == 1 ? "" : "s")") }
        return blocks + "\n\n" + counts.joined(separator: ", ") + (tail.map { "; " + $0 } ?? "") + "\n"
    }

    /// One problem, without a newline at its end.
    func text(_ problem: SettingsProblem) -> String {
        let tint = problem.severity == .error ? "31" : "33"
        var lines = [
            paint("\(problem.severity.rawValue):", "1;" + tint) + " " + paint(plain(problem.message), "1")
        ]
        var gutter = "  "
        if let place = problem.place {
            let number = String(place.line)
            gutter = String(repeating: " ", count: number.count)
            lines.append(gutter + paint("--> ", "34") + "\(plain(place.path)):\(place.line):\(place.column)")
            if let source = problem.sourceLine {
                lines.append(paint(gutter + " |", "34"))
                lines += snippet(source, place, number, problem.note, tint)
            } else if let note = problem.note {
                lines.append(gutter + paint(" = ", "34") + plain(note))
            }
        } else if let option = problem.option {
            lines.append(gutter + paint("--> ", "34") + "command line, " + option)
            if let note = problem.note { lines.append(gutter + paint(" = ", "34") + plain(note)) }
        }
        if let help = problem.help { lines.append(gutter + paint(" = ", "34") + "help: " + plain(help)) }
        return lines.joined(separator: "\n")
    }

    /// Longest part of a source line that is shown.
    private static let widest = 160

    private func snippet(
        _ source: String, _ place: SourcePlace, _ number: String, _ note: String?, _ tint: String
    ) -> [String] {
        let scalars = Array(source.unicodeScalars)
        let shown = scalars.prefix(ProblemRenderer.widest)
        // Tabs stay tabs under themselves, so that the caret stands right at any width.
        let indent = scalars.prefix(place.column - 1).map { $0 == "\t" ? "\t" : " " }.joined()
        let room = max(1, scalars.count - (place.column - 1))
        let caret = String(repeating: "^", count: max(1, min(place.length, room)))
        let cut = shown.count < scalars.count ? "..." : ""
        let gutter = String(repeating: " ", count: number.count)
        var lines = [paint(number + " | ", "34") + plain(String(String.UnicodeScalarView(shown))) + cut]
        if place.column - 1 <= shown.count {
            let remark = note.map { " " + plain($0) } ?? ""
            lines.append(paint(gutter + " | ", "34") + indent + paint(caret + remark, tint))
        } else if let note {
            lines.append(gutter + paint(" = ", "34") + plain(note))
        }
        return lines
    }

    /// One object: schema, counts, problems.
    public func json(_ problems: [SettingsProblem]) -> String {
        let errors = problems.filter { $0.severity == .error }.count
        let objects = problems.map { problem in
            JSONText.object([
                ("severity", quoted(problem.severity.rawValue)),
                ("message", quoted(problem.message)),
                ("file", problem.place.map { quoted($0.path) } ?? "null"),
                ("line", problem.place.map { "\($0.line)" } ?? "null"),
                ("column", problem.place.map { "\($0.column)" } ?? "null"),
                ("length", problem.place.map { "\($0.length)" } ?? "null"),
                ("option", problem.option.map(quoted) ?? "null"),
                ("note", problem.note.map(quoted) ?? "null"),
                ("help", problem.help.map(quoted) ?? "null"),
            ])
        }
        return JSONText.object([
            ("schema", "1"), ("ok", errors == 0 ? "true" : "false"), ("errors", "\(errors)"),
            ("warnings", "\(problems.count - errors)"), ("problems", JSONText.array(objects)),
        ]) + "\n"
    }

    private func paint(_ text: String, _ code: String) -> String {
        color ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
    }

    /// Without control characters, tabs aside.
    private func plain(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 0x20 && scalar != "\t" || (0x7f...0x9f).contains(scalar.value)
            result.append(isControl ? "\u{fffd}" : scalar)
        }
        return String(result)
    }
}

/// JSON by joining; there is no Foundation here, and the objects are few and flat.
enum JSONText {
    /// The values are JSON already.
    static func object(_ members: [(String, String)]) -> String {
        "{" + members.map { quoted($0.0) + ": " + $0.1 }.joined(separator: ", ") + "}"
    }
    static func array(_ elements: [String]) -> String { "[" + elements.joined(separator: ", ") + "]" }
}
