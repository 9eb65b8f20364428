// Queries as HTTP/2 requests (RFC 8484): what the runtime tells of them. One stream a query, matched by the request.

import DNSWire

extension Engine {
    /// The body of a 2xx response to a request.
    /// - Parameters:
    ///   - age: seconds of the `Age` header, which TTLs are lowered by (RFC 8484 5.1).
    ///   - freshness: seconds that the HTTP response is fresh for (max-age less Age), a ceiling for TTLs; nil = not said.
    public mutating func upstreamAnswered(
        _ message: Span<UInt8>, to attempt: AttemptID, on connection: ConnectionID, age: UInt32, freshness: UInt32?,
        now: Instant, into out: inout ActionBuffer
    ) {}

    /// A request failed; its connection lives on.
    public mutating func requestFailed(
        _ attempt: AttemptID, on connection: ConnectionID, _ failure: RequestFailure, now: Instant,
        into out: inout ActionBuffer
    ) {}

    /// How many streams the peer allows at once (SETTINGS_MAX_CONCURRENT_STREAMS).
    public mutating func connectionCapacity(
        _ connection: ConnectionID, streams: Int, now: Instant, into out: inout ActionBuffer
    ) {}

    /// No new request on the connection (GOAWAY, stream ids used up); what is under way goes on.
    public mutating func connectionRetiring(_ connection: ConnectionID, now: Instant, into out: inout ActionBuffer) {}

    /// Something came that is no message (SETTINGS, a PING's answer): the connection is alive.
    public mutating func connectionHeard(_ connection: ConnectionID, now: Instant) {}
}
