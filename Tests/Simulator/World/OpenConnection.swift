// A socket toward an upstream as the world knows it, with what is under way on it.

import ForwarderCore

/// One open socket, stream or HTTP/2 connection.
final class OpenConnection {
    let upstream: Int
    let transport: UpstreamTransport
    let endpoint: Endpoint
    /// Last written to or heard from.
    var usedAt: Instant
    /// A stream before `connectionOpened`.
    var isConnecting: Bool
    /// The last query under each id: an id must not be used again while its answer may come.
    var queries: [UInt16: OutQuery] = [:]
    /// Requests that neither ended nor were cancelled.
    var requests: [AttemptID: OutQuery] = [:]
    /// Requests that the peer said it takes at once.
    var capacity = Int.max
    /// The peer said that it takes no more requests.
    var isRetiring = false
    /// The peer knows nothing of it any more (it restarted, we slept): writing to it meets a reset, or nothing.
    var isForgotten = false
    /// What is written to it gets lost on the way for ever: the network that it was opened on is gone.
    var isMute = false

    init(upstream: Int, transport: UpstreamTransport, endpoint: Endpoint, now: Instant) {
        self.upstream = upstream
        self.transport = transport
        self.endpoint = endpoint
        usedAt = now
        isConnecting = transport.isStream
    }

    /// As statistics and scenarios call the transport.
    var network: String { transport.word }
}
