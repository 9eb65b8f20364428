// `[[upstream]]`, `[pool]` and `[group.*]` after every check. Part of Settings; made by SettingsBuilder, read by the
// daemon's mapping. A pool here is what holds for its upstream: profile, [pool] and [upstream.pool] are merged.

extension Settings {
    /// How an upstream is spoken to.
    public enum Transport: String, Sendable, CaseIterable {
        /// UDP, with TCP for what is truncated.
        case udp
        case tcp
        /// DNS over TLS (RFC 7858).
        case tls
        /// DNS over HTTPS (RFC 8484).
        case https

        public var isEncrypted: Bool { self == .tls || self == .https }

        /// Where none is written.
        public var port: UInt16 {
            switch self {
            case .udp, .tcp: 53
            case .tls: 853
            case .https: 443
            }
        }
    }

    /// One upstream, from a `[[upstream]]` table or from a URL in a group.
    public struct Upstream: Sendable, Equatable {
        /// Unique; a-z 0-9 -, at most 32.
        public internal(set) var name: String
        /// As written.
        public internal(set) var url: String
        public internal(set) var transport: Transport
        /// To be tried in this order, at most 16; empty when `hostName` has to be resolved first.
        public internal(set) var endpoints: [AddressAndPort] = []
        /// The name whose addresses `bootstrap` finds: lower case, no final dot. Empty when there are `endpoints`.
        public internal(set) var hostName = ""
        /// Goes with resolved addresses.
        public internal(set) var port: UInt16 = 53
        /// nil for udp and tcp.
        public internal(set) var security: Security?
        public internal(set) var pool = Pool()
        /// For `weighted`.
        public internal(set) var weight = 1
        /// One of the machine's own servers, which are found at run time: it has neither endpoints nor a host name.
        public internal(set) var isSystem = false
    }

    /// `[pool]` as it holds for one upstream.
    public struct Pool: Sendable, Equatable {
        /// Ceiling for the process: opening, open and draining sockets together.
        public internal(set) var maxConnections = 10
        public internal(set) var idleTimeout = Duration.seconds(300)
        public internal(set) var learnIdle = true
        public internal(set) var minConnections = 0
        public internal(set) var prewarm = 1
        public internal(set) var maxInflight = 100
        /// Zero = no limit.
        public internal(set) var maxAge = Duration.seconds(3_600)
        /// 0 = no limit.
        public internal(set) var maxQueries = 0
        public internal(set) var connectTimeout = Duration.seconds(2)
        public internal(set) var acquireTimeout = Duration.seconds(1)
        public internal(set) var maxWaiters = 1_000
        public internal(set) var retryStale = true
        public internal(set) var udpMaxAge = Duration.seconds(15)
        public internal(set) var udpMaxQueries = 32
    }

    /// One group of upstreams.
    public struct Group: Sendable, Equatable {
        /// How a member is picked.
        public enum Strategy: String, Sendable, CaseIterable {
            case fastest, ordered
            case roundRobin = "round-robin"
            case random, weighted, parallel, sticky
        }
        /// When a second member is asked.
        public enum Hedge: Sendable, Equatable {
            case off, auto
            case after(Duration)
        }
        /// What clients get while every member is down.
        public enum WhenDown: String, Sendable, CaseIterable { case stale, servfail, fallback }

        public internal(set) var name: String
        /// Indexes into `Settings.upstreams`, in the file's order.
        public internal(set) var members: [Int] = []
        public internal(set) var strategy = Strategy.fastest
        /// Members asked at once by `parallel`: never more than there are.
        public internal(set) var parallel = 2
        /// Percent of the queries that re-measure members that are not the best.
        public internal(set) var explore = 5
        public internal(set) var hedge = Hedge.auto
        /// Sends a query.
        public internal(set) var attempts = 3
        /// nil = auto, from the round trip.
        public internal(set) var attemptTimeout: Duration?
        /// RCODE numbers on which another member is asked.
        public internal(set) var failoverOn: Set<Int> = [1, 2, 4, 5]
        /// Index into `Settings.groups`; there is no way round in a circle.
        public internal(set) var fallback: Int?
        public internal(set) var whenDown = WhenDown.stale
    }
}
