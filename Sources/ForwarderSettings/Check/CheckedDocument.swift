// The good values of a document by slot, with the defaults behind them. Made by SettingsCheck, read by the builders.
// Reading a value that was refused gives the default, so that one mistake does not make ten messages.

/// Typed reading of a document.
struct CheckedDocument {
    /// Good values of the winning assignments.
    var values: [String: CheckedValue] = [:]
    let document: SettingsDocument

    /// Whether a layer above the defaults has a good value.
    func isWritten(_ slot: String) -> Bool { values[slot] != nil }

    /// Where the value of a slot comes from.
    func origin(_ slot: String) -> Origin { document.assignment(slot)?.node.origin ?? .builtIn }

    /// `fallback`: the row whose default holds, where it is not the slot's own.
    func value(_ slot: String, fallback: String? = nil) -> CheckedValue? {
        values[slot] ?? Reference.defaults[fallback ?? Reference.pattern(of: slot)]
    }

    func integer(_ slot: String, fallback: String? = nil) -> Int {
        if case .integer(let number) = value(slot, fallback: fallback) { return number }
        return 0
    }

    func boolean(_ slot: String, fallback: String? = nil) -> Bool {
        if case .boolean(let flag) = value(slot, fallback: fallback) { return flag }
        return false
    }

    func text(_ slot: String, fallback: String? = nil) -> String {
        if case .text(let text) = value(slot, fallback: fallback) { return text }
        return ""
    }

    func list(_ slot: String, fallback: String? = nil) -> [CheckedValue.ListedText] {
        if case .list(let texts) = value(slot, fallback: fallback) { return texts }
        return []
    }

    func duration(_ slot: String, fallback: String? = nil) -> Duration {
        if case .duration(let nanoseconds) = value(slot, fallback: fallback) { return .nanoseconds(nanoseconds) }
        return .zero
    }

    /// The case that the word of a slot names; the check has seen to that it is one of them.
    func word<Word: RawRepresentable>(_ slot: String, _ otherwise: Word, fallback: String? = nil) -> Word
    where Word.RawValue == String {
        Word(rawValue: text(slot, fallback: fallback)) ?? otherwise
    }
}
