// A value that has the type and the range of its key. Made by ValueCheck, read by SettingsBuilder.

/// A good value.
enum CheckedValue: Sendable, Equatable {
    case boolean(Bool)
    /// Also sizes in octets, shares in percent, rates a second.
    case integer(Int)
    /// Nanoseconds.
    case duration(Int)
    /// One of the words of the key, or free text.
    case text(String)
    case list([ListedText])

    /// An element of a list, with its own place for messages.
    struct ListedText: Sendable, Equatable {
        let text: String
        let origin: Origin
    }
}
