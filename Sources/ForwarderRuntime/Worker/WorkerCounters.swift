// What a worker counts itself: datagrams that it dropped, client streams, and its system calls by kind.
//
// Only the worker's own thread writes them; the statistics mailbox carries copies. They only grow, but for
// `clientStreams`, which is a gauge.

/// Counters of one worker, or of all when added.
public struct WorkerCounters: Sendable, Equatable {
    public var clientDatagrams: UInt64 = 0
    public var clientMessages: UInt64 = 0
    public var replies: UInt64 = 0
    /// Client datagrams that were larger than a receive slot.
    public var oversized: UInt64 = 0
    /// Client datagrams from port 0 or of a foreign family: nothing may be sent there.
    public var unanswerable: UInt64 = 0
    /// Replies that the socket's send buffer had no room for.
    public var repliesNoBuffer: UInt64 = 0
    /// Replies that the kernel refused for their destination.
    public var repliesRefused: UInt64 = 0
    /// Datagrams that the kernel dropped because a listener's receive buffer was full (SO_RXQ_OVFL).
    public var kernelDrops: UInt64 = 0
    public var upstreamOversized: UInt64 = 0
    public var clientStreams: UInt64 = 0
    public var streamsAccepted: UInt64 = 0
    public var streamsRefused: UInt64 = 0
    public var streamsEvicted: UInt64 = 0
    public var streamsIdle: UInt64 = 0
    public var streamsSlow: UInt64 = 0
    public var streamsInvalid: UInt64 = 0
    public var acceptNoDescriptors: UInt64 = 0

    // TLS toward upstreams.
    /// Handshakes that ended with a verified peer.
    public var tlsHandshakes: UInt64 = 0
    /// Those of them that resumed a session.
    public var tlsResumed: UInt64 = 0
    /// Handshakes that failed or were given up.
    public var tlsFailures: UInt64 = 0

    // System calls.
    public var socketCalls: UInt64 = 0
    public var bindCalls: UInt64 = 0
    public var connectCalls: UInt64 = 0
    public var sendmmsgCalls: UInt64 = 0
    public var recvmmsgCalls: UInt64 = 0
    public var epollWaitCalls: UInt64 = 0

    public init() {}

    /// Each counter with the name that statistics print.
    public var named: [(String, UInt64)] {
        [
            ("client_datagrams", clientDatagrams), ("client_messages", clientMessages), ("replies", replies),
            ("oversized", oversized), ("unanswerable", unanswerable), ("replies_no_buffer", repliesNoBuffer),
            ("replies_refused", repliesRefused), ("kernel_drops", kernelDrops),
            ("upstream_oversized", upstreamOversized), ("client_streams", clientStreams),
            ("streams_accepted", streamsAccepted), ("streams_refused", streamsRefused),
            ("streams_evicted", streamsEvicted), ("streams_idle", streamsIdle), ("streams_slow", streamsSlow),
            ("streams_invalid", streamsInvalid), ("accept_no_descriptors", acceptNoDescriptors),
        ]
    }

    /// TLS handshakes toward upstreams.
    public var handshakes: [(String, UInt64)] {
        [("handshakes", tlsHandshakes), ("resumed", tlsResumed), ("failed", tlsFailures)]
    }

    /// System calls by name.
    public var systemCalls: [(String, UInt64)] {
        [
            ("socket", socketCalls), ("bind", bindCalls), ("connect", connectCalls), ("sendmmsg", sendmmsgCalls),
            ("recvmmsg", recvmmsgCalls), ("epoll_wait", epollWaitCalls),
        ]
    }

    /// Adds another worker's counters.
    public mutating func add(_ other: WorkerCounters) {
        for field in WorkerCounters.fields { self[keyPath: field] &+= other[keyPath: field] }
    }

    private static var fields: [WritableKeyPath<WorkerCounters, UInt64>] {
        [
            \.clientDatagrams, \.clientMessages, \.replies, \.oversized, \.unanswerable, \.repliesNoBuffer,
            \.repliesRefused, \.kernelDrops, \.upstreamOversized, \.clientStreams, \.streamsAccepted,
            \.streamsRefused, \.streamsEvicted, \.streamsIdle, \.streamsSlow, \.streamsInvalid,
            \.acceptNoDescriptors, \.tlsHandshakes, \.tlsResumed, \.tlsFailures,
            \.socketCalls, \.bindCalls, \.connectCalls, \.sendmmsgCalls, \.recvmmsgCalls,
            \.epollWaitCalls,
        ]
    }
}

/// The one place where a worker's parts count.
final class WorkerTally {
    var counters = WorkerCounters()
}
