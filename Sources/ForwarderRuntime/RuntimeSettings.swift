// The settings as the runtime uses them: what to bind, how many threads, how large the batches.

import ForwarderCore

/// One address of `server.listen`.
public struct ListenAddress: Sendable, Equatable {
    public var endpoint: Endpoint
    public var udp: Bool
    public var tcp: Bool
    /// As written in the file, for messages.
    public var text: String
    public init(endpoint: Endpoint, udp: Bool, tcp: Bool, text: String) {
        self.endpoint = endpoint
        self.udp = udp
        self.tcp = tcp
        self.text = text
    }
}

/// `[server]` as far as sockets and threads go.
public struct RuntimeSettings: Sendable, Equatable {
    public var listen: [ListenAddress] = []
    public var workers = 1
    public var udpReceiveBuffer = 4 << 20
    public var udpBatch = 32
    /// Over all workers.
    public var tcpMaxClients = 1024
    public var tcpIdleTimeout = Interval.seconds(10)
    public var tcpMaxPipelined = 100
    public var freebind = true
    public var shutdownGrace = Interval.seconds(5)
    /// By the upstream's index in `EngineSettings.upstreams`; nil where nothing is encrypted.
    public var security: [UpstreamSecurity?] = []
    /// `tls.resumption`: keep tickets and resume sessions with them.
    public var resumption = true
    /// `tls.keylog`: the file that session secrets are appended to; empty = none.
    public var keylog = ""
    /// `cache.persist`: keep the cache in the state directory.
    public var persist = false
    /// Between two snapshots.
    public var persistInterval = Interval.seconds(600)
    public init() {}
}
