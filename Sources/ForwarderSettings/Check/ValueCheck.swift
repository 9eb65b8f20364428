// One value against its row: type, unit, range, words, and whether this build knows the key. Called for every
// assignment of every layer, overridden ones too: a mistake in a file is a mistake even when a drop-in hides it.

/// Checks a value of one key.
struct ValueCheck {
    let row: ReferenceKey
    /// As people write it, for messages.
    let path: String

    /// A problem, as the error of a Result.
    struct Refusal: Error {
        let problem: SettingsProblem
    }
    typealias Outcome = Result<CheckedValue, Refusal>

    /// Type, range, and whether the build follows it.
    func check(_ node: TOMLNode) -> Outcome {
        if case .later(let off) = row.standing {
            if switchesOff(node.value, off) { return convert(node, ranges: false) }
            // A value of the wrong type is told first: it would be wrong in every build.
            if case .failure(let refusal) = convert(node) { return .failure(refusal) }
            return refuse("'\(path)' is not supported yet", node)
        }
        if case .word(_, let later) = row.type, case .string(let word) = node.value, later.contains(word) {
            return refuse("'\(path)' = \(quoted(word)) is not supported yet", node)
        }
        return convert(node)
    }

    /// Type and range only.
    func convert(_ node: TOMLNode, ranges: Bool = true) -> Outcome {
        switch (row.type, node.value) {
        case (.boolean, .boolean(let flag)): return .success(.boolean(flag))
        case (.integer(let range, _), .integer(let number)):
            return !ranges || range.contains(number) ? .success(.integer(number)) : outOfRange("\(number)", node)
        case (.integer(_, let words), .string(let word)) where !words.isEmpty:
            return oneOf(word, of: words, node)
        case (.duration(let low, let high, let zero, let words), .string(let text)):
            if words.contains(text) { return .success(.text(text)) }
            let bounds = Bounds(Quantity.duration(low), Quantity.duration(high), zero && ranges || !ranges)
            return quantity(text, Quantity.duration(text), bounds, node, words) { .duration($0) }
        case (.size(let low, let high, let zero), .string(let text)):
            let bounds = Bounds(Quantity.size(low), Quantity.size(high), zero || !ranges)
            return quantity(text, Quantity.size(text), bounds, node) { .integer($0) }
        case (.share(let range), .string(let text)):
            return quantity(text, Quantity.share(text), Bounds(range, !ranges), node) { .integer($0) }
        case (.rate(let range), .string(let text)):
            return quantity(text, Quantity.rate(text), Bounds(range, !ranges), node) { .integer($0) }
        case (.duration, .integer), (.duration, .float), (.size, .integer), (.size, .float), (.share, .integer),
            (.share, .float), (.rate, .integer), (.rate, .float):
            return needsUnit(node.value.written, node)
        case (.word(let words, _), .string(let word)): return oneOf(word, of: words, node)
        case (.text, .string(let text)): return .success(.text(text))
        case (.list(let words, let most), .array(let nodes)): return list(nodes, words, most, node)
        default:
            return refuse("'\(path)' must be \(row.type.name), got \(node.value.kindName)", node)
        }
    }

    /// What a quantity may be.
    private struct Bounds {
        let low: Int
        let high: Int
        let zero: Bool
        init(_ low: Int?, _ high: Int?, _ zero: Bool) {
            self.low = low ?? 0
            self.high = high ?? Int.max
            self.zero = zero
        }
        init(_ range: ClosedRange<Int>, _ zero: Bool) { self.init(range.lowerBound, range.upperBound, zero) }
        func allows(_ value: Int) -> Bool { value >= low && value <= high || zero && value == 0 }
    }

    private func quantity(
        _ text: String, _ value: Int?, _ bounds: Bounds, _ node: TOMLNode, _ words: [String] = [],
        _ make: (Int) -> CheckedValue
    ) -> Outcome {
        if let value { return bounds.allows(value) ? .success(make(value)) : outOfRange(quoted(text), node) }
        if !text.isEmpty, text.allSatisfy({ $0.isASCII && $0.isNumber }) { return needsUnit(text, node) }
        let note = EditDistance.nearest(to: text, among: words).map { "did you mean '\($0)'?" }
        return refuse("'\(path)' must be \(row.type.name), got \(quoted(text))", node, note: note, help: unitHelp)
    }

    private var unitHelp: String? {
        switch row.type {
        case .duration: "a duration is a number and a unit: us ms s m h d, as in \"300ms\" or \"1h30m\""
        case .size: "a size is a number and a unit: B kB MB GB KiB MiB GiB, as in \"64MiB\""
        case .share: "a share is a whole number of percent, as in \"10%\""
        case .rate: "a rate is a number a second, as in \"50/s\""
        default: nil
        }
    }

    /// `86400 -> "86400s" (= "1d")`.
    private func needsUnit(_ number: String, _ node: TOMLNode) -> Outcome {
        var suggestion = ""
        switch row.type {
        case .duration:
            suggestion = quoted(number + "s")
            if let value = Quantity.duration(number + "s"), Quantity.durationText(value) != number + "s" {
                suggestion += " (= \(quoted(Quantity.durationText(value))))"
            }
        case .size:
            suggestion = quoted(number + "B")
            if let value = Quantity.size(number + "B"), Quantity.sizeText(value) != number + "B" {
                suggestion += " (= \(quoted(Quantity.sizeText(value))))"
            }
        case .share: suggestion = quoted(number + "%")
        default: suggestion = quoted(number + "/s")
        }
        return refuse("'\(path)' needs a unit: \(number) -> \(suggestion)", node)
    }

    private func oneOf(_ word: String, of words: [String], _ node: TOMLNode) -> Outcome {
        if words.contains(word) { return .success(.text(word)) }
        let note = EditDistance.nearest(to: word, among: words).map { "did you mean '\($0)'?" }
        let wanted: String
        if case .word = row.type { wanted = "one of " + words.joined(separator: ", ") } else { wanted = row.type.name }
        return refuse("'\(path)' must be \(wanted), got \(quoted(word))", node, note: note)
    }

    private func list(_ nodes: [TOMLNode], _ words: [String], _ most: Int, _ array: TOMLNode) -> Outcome {
        if nodes.count > most { return refuse("'\(path)' has more than \(most) elements", array) }
        var texts: [CheckedValue.ListedText] = []
        for node in nodes {
            guard case .string(let text) = node.value else {
                return refuse("'\(path)' must be an array of strings, got \(node.value.kindName) in it", node)
            }
            if !words.isEmpty, !words.contains(text) {
                let note = EditDistance.nearest(to: text.uppercased(), among: words.map { $0.uppercased() })
                return refuse(
                    "'\(path)' may hold \(words.joined(separator: ", ")), got \(quoted(text))", node,
                    note: note.flatMap { near in words.first { $0.uppercased() == near } }
                        .map { "did you mean '\($0)'?" })
            }
            texts.append(CheckedValue.ListedText(text: text, origin: node.origin))
        }
        return .success(.list(texts))
    }

    private func switchesOff(_ value: TOMLValue, _ off: String) -> Bool {
        switch value {
        case .boolean(let flag): return !flag
        case .integer(let number): return number == 0
        case .array(let nodes): return nodes.isEmpty
        case .string(let text):
            return text.isEmpty && isText || text == "off" || quoted(text) == off || isZeroQuantity(text)
        default: return false
        }
    }

    private var isText: Bool {
        if case .text = row.type { return true }
        return false
    }

    private func isZeroQuantity(_ text: String) -> Bool {
        switch row.type {
        case .duration: Quantity.duration(text) == 0
        case .size: Quantity.size(text) == 0
        case .share: Quantity.share(text) == 0
        case .rate: Quantity.rate(text) == 0
        default: false
        }
    }

    private func outOfRange(_ got: String, _ node: TOMLNode) -> Outcome {
        refuse("'\(path)' must be \(row.type.allowed), got \(got)", node)
    }

    private func refuse(
        _ message: String, _ node: TOMLNode, note: String? = nil, help: String? = nil
    ) -> Outcome {
        .failure(Refusal(problem: SettingsProblem(message, from: node.origin, note: note, help: help)))
    }
}
