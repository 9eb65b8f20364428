// What a pool did, per upstream and transport: kept by the engine, summed over workers by the daemon.

/// Why a connection was opened.
public enum OpenReason: Int, Sendable, CaseIterable {
    /// None was there.
    case cold
    /// The others were busy.
    case growth
    case prewarm
    /// In place of one that reached its age or count, or met a near miss.
    case replace
}

/// Why a connection was closed.
public enum CloseReason: Int, Sendable, CaseIterable {
    /// Our idle limit.
    case idle
    /// The peer closed it.
    case peer
    /// An error on it, a silence or a protocol violation.
    case error
    case age
    case queries
    /// A suspected forgery (near miss).
    case suspect
    /// To make room for a connection of the other transport under the same ceiling.
    case room
    /// Its local address is gone, or the network changed under it.
    case network
    case shutdown
}

/// Counters and gauges of one pool. Totals only grow; gauges are as of the reading.
public struct PoolStatistics: Sendable {
    public var upstream: String
    public var address: Endpoint
    /// "udp" or "tcp".
    public var network: String
    // Gauges.
    public var active = 0
    public var connecting = 0
    public var draining = 0
    public var idle = 0
    /// The ceiling of the upstream for the whole process, both transports together.
    public var maxConnections = 0
    public var idleTimeout = Interval.zero
    /// Learned from the peer; zero = not learned.
    public var learnedIdle = Interval.zero
    public var waiters = 0
    public var inFlight = 0
    // Totals.
    public var opened = [UInt64](repeating: 0, count: OpenReason.allCases.count)
    public var closed = [UInt64](repeating: 0, count: CloseReason.allCases.count)
    public var queries: UInt64 = 0
    /// Queries that found an open connection.
    public var reused: UInt64 = 0
    public var waited: UInt64 = 0
    /// Queries that gave up waiting.
    public var waitFailed: UInt64 = 0
    public var responses: UInt64 = 0
    public var timeouts: UInt64 = 0
    public var lateResponses: UInt64 = 0
    public var nearMisses: UInt64 = 0
    public var truncated: UInt64 = 0
    public var staleRetries: UInt64 = 0
    /// Failures by `Fault`.
    public var failures = [UInt64](repeating: 0, count: Fault.allCases.count)
    /// The most sockets that were open at once.
    public var peak = 0

    public init(upstream: String, address: Endpoint, network: String) {
        self.upstream = upstream
        self.address = address
        self.network = network
    }
}

/// Something about a pool that an operator may want to read in the log.
public enum PoolEvent: Sendable {
    /// A connection was opened: now `open` of `ceiling`.
    case opened(upstream: Int, network: UpstreamTransport, reason: OpenReason, open: Int, ceiling: Int)
    case closed(upstream: Int, network: UpstreamTransport, reason: CloseReason, open: Int, ceiling: Int)
    /// Every connection is busy and no more may be opened: queries wait.
    case atCeiling(upstream: Int, ceiling: Int, waiting: Int)
    case failed(upstream: Int, network: UpstreamTransport, failure: TransportFailure)
    /// An HTTP request failed: a status, a reset, something that is no DNS message.
    case requestFailed(upstream: Int, RequestFailure)
    /// A datagram with the right addresses but a wrong id or question.
    case nearMiss(upstream: Int)
    /// Verified loss of letter case: 0x20 is switched off for the upstream.
    case caseLost(upstream: Int)
    /// An upstream stopped or began answering.
    case down(upstream: Int)
    case up(upstream: Int)
    /// All upstreams stopped answering together, or one answers again: nobody is blamed.
    case outage(hasBegun: Bool)
    /// Our own queries came back from it, or do no more.
    case loop(upstream: Int, isFound: Bool)
    /// The network changed or came back, or the machine has slept.
    case networkChanged
    /// The peer closes idle connections after this long.
    case learnedIdle(upstream: Int, Interval)
}
