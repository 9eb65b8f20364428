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
    /// For `weighted`.
    public var weight = 1
    /// Nobody on the path can forge its answers: encrypted, and its certificate is verified.
    public var isAuthenticated = false
    /// One of the machine's own servers (`upstreams = ["system"]`): its address comes by `Engine.setServers`.
    public var isSystem = false
    public init(name: String, endpoints: [Endpoint], transport: UpstreamTransport) {
        self.name = name
        self.endpoints = endpoints
        self.transport = transport
        port = endpoints.first?.port ?? 53
    }
}

/// How a group picks a member.
public enum StrategyKind: UInt8, Sendable { case fastest, ordered, roundRobin, random, weighted, parallel, sticky }

/// When a second member is asked beside the first.
public enum HedgePolicy: Sendable, Equatable {
    case off
    /// After the asked member's 95th percentile, within 10 to 500 ms.
    case auto
    case after(Interval)
}

/// What clients get while every member of a group is down.
public enum WhenDown: UInt8, Sendable {
    /// A stale answer at once where there is one; else whatever the fallback group or another try gives.
    case stale
    /// No stale answers.
    case serverFailure
    /// The fallback group first; a stale answer only when that fails too.
    case fallback
}

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
    /// Members asked at once by `parallel`.
    public var parallel = 2
    public var hedge = HedgePolicy.off
    /// Index of the group that is asked while every member of this one is down.
    public var fallback: Int?
    public var whenDown = WhenDown.stale
    /// Tells this group from one of the same name with other upstreams: a snapshot of the cache is loaded for it only.
    public var identity = ""
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
    /// Seconds past its end that an answer may be given when no fresh one can be had (RFC 8767); 0 = never.
    public var stale: UInt32 = 0
    /// How long a client waits for a fresh answer before it gets the stale one; zero = not at all.
    public var staleAfter = Interval.milliseconds(1_800)
    /// TTL of a stale answer, in seconds.
    public var staleTTL: UInt32 = 30
    /// Popular answers are refreshed when less than this share of their TTL is left, in percent; 0 = never.
    public var prefetchPercent = 0
    /// Hits that make an answer popular.
    public var prefetchMinHits = 2
    public init() {}
}

/// Whether upstreams are asked only to see whether they answer.
public enum HealthMode: UInt8, Sendable {
    /// Never: a real query tries whether a failed one is back.
    case off
    /// Only those that failed.
    case lazy
    /// All, at every interval.
    case active
}

/// `[health]`.
public struct HealthSettings: Sendable, Equatable {
    public var mode = HealthMode.off
    /// Between the probes of an upstream that is well; `active` only.
    public var interval = Interval.seconds(10)
    /// The probe's question, its name in wire form and lower case.
    public var queryName: [UInt8] = [0]
    public var queryType: UInt16 = 2
    public var timeout = Interval.seconds(1)
    /// Failures in a row, of different names, that take an upstream for down.
    public var failAfter = 3
    /// Answers in a row that bring it back.
    public var recoverAfter = 1
    /// Pauses between probes of an upstream that is down.
    public var backoffMin = Interval.seconds(1)
    public var backoffMax = Interval.seconds(10)
    public init() {}
}

/// What a route does with a query that it matches.
public enum RouteAction: Sendable, Equatable {
    case forward(group: Int)
    case refuse
    case nameError
    case drop
}

/// One `[[route]]`. The longest matching domain of all routes wins, then the one with more conditions.
public struct RouteSettings: Sendable, Equatable {
    /// Suffixes in wire form and lower case; the root ([0]) matches every name.
    public var domains: [[UInt8]]
    /// Only for clients of these networks; empty = for all.
    public var clients: [NetworkBlock] = []
    /// Only for these types; empty = for all.
    public var types: [UInt16] = []
    public var action: RouteAction
    /// Whether answers that came this way are kept.
    public var caches = true
    public init(domains: [[UInt8]], action: RouteAction) {
        self.domains = domains
        self.action = action
    }
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
    public var health = HealthSettings()
    public var routes: [RouteSettings] = []
    /// Whether upstreams with an address of a local network are asked once for a random name, to find out whether they
    /// send our queries back to us.
    public var detectsLoops = false

    // [server]
    public var allow: [NetworkBlock] = []
    public var deny: [NetworkBlock] = []
    public var queryDeadline = Interval.seconds(4)
    public var maxInflight = 20_000
    /// 0 = no limit.
    public var maxInflightPerClient = 1_000
    public var overload = OverloadPolicy.serverFailure
    /// Queries a second and client prefix, burst of one second; 0 = no limit.
    public var rateLimit = 0
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
