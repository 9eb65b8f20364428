// The first decision about a client's message: silence, an error at once, an answer of our own, or on to the cache.

import DNSWire

/// Why a message got no reply.
public enum DropReason: Int, Sendable, CaseIterable { case malformed, notQuery, accessDenied, overload }

/// What intake decides.
public enum IntakeVerdict: Sendable {
    case drop(DropReason)
    /// Reply with this RCODE; the question is echoed where it could be read. `extendedError` goes into an OPT if owed.
    case refuse(ResponseCode, ExtendedErrorCode?)
    /// The minimal answer to ANY (RFC 8482): one HINFO "RFC8482".
    case minimalAny
    /// A TXT answer with the configured identity (class CH).
    case identity
    case ask
}

/// The rules of intake, from settings.
public struct QueryIntake: Sendable {
    public init(settings: EngineSettings) {}
    /// `name` holds the folded name at 0 when the question could be read.
    public func judge(_ query: ParsedQuery, name: borrowing ByteStore) -> IntakeVerdict { fatalError("H1") }
}
