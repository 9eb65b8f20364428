// Names that never leave this machine: RFC 6761, 6303, 7686, 8375, 8880, 9462.

import DNSWire

/// What a special name is answered with.
public enum LocalAnswer: Sendable {
    case nameError
    case noData
    /// 127.0.0.1 or ::1 (localhost).
    case loopback
    /// PTR localhost. (the loopback reverse names)
    case loopbackPointer
}

/// The built-in table of special names.
public struct SpecialNames: Sendable {
    public init(enabled: Bool) {}
    /// nil = an ordinary name. `.onion` and `resolver.arpa` are answered locally even when the table is off.
    public func answer(_ question: Question, name: borrowing ByteStore) -> LocalAnswer? { fatalError("H1") }
}
