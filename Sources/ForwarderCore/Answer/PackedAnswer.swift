// An answer as it is kept and given: one block of bytes with the places that must be patched for each client.
//
// The same layout lies in the cache's rings and in the engine's scratch, so that a hit and a fresh answer are given by
// the same code. It must never hold an OPT record, a client's id, or a TTL that has already counted down.

import DNSWire

/// What kind of answer it is; decides how long it may live and under which key it is kept.
public enum AnswerKind: UInt8, Sendable { case positive, noData, nameError, failure }

/// What packing found out.
public struct PackedAnswer: Sendable {
    /// Bytes of the block in the scratch, from offset 0.
    public var length = 0
    public var kind = AnswerKind.failure
    public var rcode = ResponseCode.noError
    /// Seconds that it may be kept; 0 = not at all.
    public var lifetime: UInt32 = 0
}

/// Makes packed answers out of upstreams' responses.
public struct AnswerPacker: ~Copyable {
    /// The last packed answer, from offset 0 on.
    public private(set) var scratch = ByteStore(capacity: 96 << 10)
    public init(settings: CacheSettings) {}

    /// Packs a surveyed response (already matched with its query, not truncated) into `scratch`: question folded, kept
    /// part only (rewritten where it must be), TTLs clamped, lifetime decided (RFC 2308, 9520).
    /// nil when it cannot be used as an answer.
    public mutating func pack(
        _ message: Span<UInt8>, _ survey: SurveyedResponse, ttlOffsets: inout TTLOffsets, question: Question,
        name: borrowing ByteStore, nameOffset: Int, now: Instant
    ) -> PackedAnswer? { fatalError("H2") }

    /// Packs a failure of our own (no upstream answered) under `rcode`, with an extended error.
    public mutating func packFailure(
        _ rcode: ResponseCode, _ code: ExtendedErrorCode, text: StaticString, question: Question,
        name: borrowing ByteStore, nameOffset: Int, now: Instant
    ) -> PackedAnswer { fatalError("H2") }
}
