import DNSWire

public struct Engine: ~Copyable {
    public init(
        settings: EngineSettings, cache: SharedCache, seed: [UInt8], worker: Int, workers: Int, now: Instant
    ) {}

    /// A client's message: one UDP datagram, or one TCP message without its length octets.
    public mutating func clientSent(
        _ message: Span<UInt8>, from client: Client, now: Instant, into out: inout ActionBuffer
    ) {}

    /// A message from an upstream: one datagram of a connected socket, or one message of a stream, unframed.
    public mutating func upstreamSent(
        _ message: Span<UInt8>, on connection: ConnectionID, now: Instant, into out: inout ActionBuffer
    ) {}

    /// A stream that `openStream` asked for is connected.
    public mutating func connectionOpened(_ connection: ConnectionID, now: Instant, into out: inout ActionBuffer) {}

    /// A connection (datagram or stream) is gone, or could not be opened. The runtime has closed it already.
    public mutating func connectionLost(
        _ connection: ConnectionID, _ failure: TransportFailure, now: Instant, into out: inout ActionBuffer
    ) {}

    /// One datagram could not be sent; the socket is still good.
    public mutating func sendFailed(
        _ attempt: AttemptID, _ failure: TransportFailure, now: Instant, into out: inout ActionBuffer
    ) {}

    /// Runs whatever is due at `now`: timeouts, idle limits, deadlines. Call once a wakeup, after the events.
    public mutating func advance(to now: Instant, into out: inout ActionBuffer) {}

    /// When `advance` next has something to do; nil = nothing is pending. The epoll timeout.
    public func nextDeadline(after now: Instant) -> Instant? { nil }

    /// Begins the end: new queries are refused, no new connection is opened but for queries in flight.
    public mutating func stop(now: Instant, into out: inout ActionBuffer) {}

    /// Client queries that still wait for an answer.
    public var inFlightCount: Int { 0 }

    /// One entry for each upstream and transport in use.
    public func poolStatistics() -> [PoolStatistics] { [] }
}
