// The response to a client, from a packed answer or from nothing: id, case, flags, TTLs, OPT, size.

import DNSWire

/// Writes replies into the action buffer.
public struct ReplyWriter: Sendable {
    public init(settings: EngineSettings) {}

    /// Gives a packed answer at `offset` of `store` to a client, `age` seconds after it was packed.
    /// - Parameters:
    ///   - turn: rotates the records of an RRset; any number.
    ///   - extendedError: one of ours to add (13 for a cached failure, ...); the answer's own is passed on else.
    public func write(
        _ store: borrowing ByteStore, at offset: Int, age: UInt32, turn: UInt32, extendedError: ExtendedErrorCode?,
        to query: ClientQuery, into out: inout ActionBuffer
    ) { fatalError("H2") }

    /// Gives an error without records. The question is echoed from `name` unless `question` is nil.
    public func writeError(
        _ rcode: ResponseCode, _ extendedError: ExtendedErrorCode?, text: StaticString, question: Question?,
        name: borrowing ByteStore, nameOffset: Int, to query: ClientQuery, into out: inout ActionBuffer
    ) { fatalError("H2") }

    /// Gives a local answer: special names, minimal ANY, identity.
    public func writeLocal(
        _ answer: LocalAnswer, question: Question, name: borrowing ByteStore, nameOffset: Int, to query: ClientQuery,
        into out: inout ActionBuffer
    ) { fatalError("H2") }
    public func writeMinimalAny(
        question: Question, name: borrowing ByteStore, nameOffset: Int, to query: ClientQuery,
        into out: inout ActionBuffer
    ) { fatalError("H2") }
    public func writeIdentity(
        question: Question, name: borrowing ByteStore, nameOffset: Int, to query: ClientQuery,
        into out: inout ActionBuffer
    ) { fatalError("H2") }
}
