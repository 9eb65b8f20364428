// The settings as the engine uses them: checked, whole, immutable. fleetwingd makes them from the file's settings.

/// Which transport carries an upstream's queries.
public enum UpstreamTransport: UInt8, Sendable {
    /// UDP, with TCP for what is truncated.
    case udp
    case tcp
    /// DNS over TLS (RFC 7858): the frames of TCP inside TLS.
    case tls
    /// DNS over HTTPS (RFC 8484), HTTP/2: one stream a query.
    case https

    /// Whether messages go over a connection with a handshake, and so nobody can forge one.
    public var isStream: Bool { self != .udp }
    public var isEncrypted: Bool { self == .tls || self == .https }

    /// As statistics and logs call it.
    public var word: String {
        switch self {
        case .udp: "udp"
        case .tcp: "tcp"
        case .tls: "tls"
        case .https: "https"
        }
    }
}

/// When letter case is randomised toward an upstream.
public enum CaseRandomization: UInt8, Sendable { case off, udp, all }

/// `[pool]` of one upstream.
public struct PoolSettings: Sendable, Equatable {
    /// Ceiling for the process: opening, open and draining sockets of the upstream, UDP and TCP together.
    public var maxConnections = 10
    public var idleTimeout = Interval.seconds(300)
    public var learnIdle = true
    public var minConnections = 0
    public var prewarm = 1
    /// Queries pipelined on a TCP connection.
    public var maxInflight = 100
    public var maxAge = Interval.seconds(3600)
    /// 0 = no limit.
    public var maxQueries = 0
    public var connectTimeout = Interval.seconds(2)
    public var acquireTimeout = Interval.seconds(1)
    public var maxWaiters = 1000
    public var retryStale = true
    public var udpMaxAge = Interval.seconds(15)
    public var udpMaxQueries = 32
    public init() {}
}

/// One upstream.
public struct UpstreamSettings: Sendable, Equatable {
    public var name: String
    /// Addresses to try, in order; empty while a name has to be resolved first.
    public var endpoints: [Endpoint]
    public var transport: UpstreamTransport
    /// The host name in wire form (lower case), when its addresses come from the bootstrap group; else empty.
    public var hostName: [UInt8] = []
    /// The port that goes with resolved addresses.
    public var port: UInt16 = 53
    public var pool = PoolSettings()
    public init(name: String, endpoints: [Endpoint], transport: UpstreamTransport) {
        self.name = name
        self.endpoints = endpoints
        self.transport = transport
        port = endpoints.first?.port ?? 53
    }
}

/// How a group picks a member.
public enum StrategyKind: UInt8, Sendable { case fastest, ordered, roundRobin, random }

/// One group of upstreams.
public struct GroupSettings: Sendable, Equatable {
    public var name: String
    /// Indexes into `EngineSettings.upstreams`, in the file's order.
    public var members: [Int]
    public var strategy = StrategyKind.fastest
    /// Share of queries, in percent, that re-measure members that are not the best.
    public var explorePercent = 5
    /// Sends a query.
    public var attempts = 3
    /// nil = auto, from the round trip.
    public var attemptTimeout: Interval?
    /// RCODEs on which another member is asked.
    public var failoverOn: Set<UInt16> = [1, 2, 4, 5]
    public init(name: String, members: [Int]) {
        self.name = name
        self.members = members
    }
}

/// `[cache]`.
public struct CacheSettings: Sendable, Equatable {
    /// Bytes with overhead; 0 = off.
    public var size = 64 << 20
    public var minTTL: UInt32 = 0
    public var maxTTL: UInt32 = 86_400
    public var negativeMaxTTL: UInt32 = 3_600
    public var failureTTL: UInt32 = 5
    public init() {}
}

/// What happens to a new miss at `max_inflight`.
public enum OverloadPolicy: UInt8, Sendable { case serverFailure, drop }

/// What an ANY query gets (RFC 8482).
public enum AnyPolicy: UInt8, Sendable { case minimal, refuse, forward }

/// A CIDR block.
public struct NetworkBlock: Sendable, Hashable {
    public var address: NetworkAddress
    public var prefixLength: Int
    public init(address: NetworkAddress, prefixLength: Int) {
        self.address = address
        self.prefixLength = prefixLength
    }
}

/// Everything that an engine needs to know. The same value is given to every worker.
public struct EngineSettings: Sendable {
    public var upstreams: [UpstreamSettings]
    public var groups: [GroupSettings]
    /// Index of the group that resolves upstreams' host names; its members have addresses.
    public var bootstrapGroup: Int?
    public var cache = CacheSettings()

    // [server]
    public var allow: [NetworkBlock] = []
    public var deny: [NetworkBlock] = []
    public var queryDeadline = Interval.seconds(4)
    public var maxInflight = 20_000
    /// 0 = no limit.
    public var maxInflightPerClient = 1_000
    public var overload = OverloadPolicy.serverFailure
    /// Ours toward clients, and what we announce to upstreams.
    public var udpPayload: UInt16 = 1232
    /// Announced to TCP clients by edns-tcp-keepalive.
    public var tcpIdleTimeout = Interval.seconds(10)
    public var anyQuery = AnyPolicy.minimal
    /// Answer to id.server and version.bind; empty = REFUSED.
    public var identity = ""

    // [dns]
    public var coalesce = true
    /// A prefix to send as client subnet with every query; nil = none, and the client's own is always stripped.
    public var clientSubnet: NetworkBlock?
    public var cookies = true
    public var caseRandomization = CaseRandomization.udp
    public var extendedErrors = true
    /// Block size that queries over TLS and HTTPS are padded to (RFC 8467); 0 = off.
    public var padding = 128

    // [local]
    public var specialNames = true

    public init(upstreams: [UpstreamSettings], groups: [GroupSettings]) {
        self.upstreams = upstreams
        self.groups = groups
    }
}
