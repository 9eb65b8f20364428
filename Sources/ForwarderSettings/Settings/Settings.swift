// The settings after every check: whole, normalised, immutable. SettingsBuilder makes them, the daemon maps them onto
// the engine and the runtime. Field names are the keys of the file in camelCase. A value of this type never needs
// another check: what is in it has been found good.

/// Everything that this build reads from its configuration.
public struct Settings: Sendable, Equatable {
    /// Format of the file.
    public internal(set) var version = 1
    public internal(set) var server = Server()
    /// The groups in use: `default`, those of `[group.*]`, then those that routes made of their own upstreams.
    public internal(set) var groups: [Group] = []
    /// The upstreams that these groups name, each once, in the order of first use.
    public internal(set) var upstreams: [Upstream] = []
    /// The servers that resolve the host names of upstreams; empty when no upstream needs it.
    public internal(set) var bootstrap: [Upstream] = []
    /// More conditions first, then narrower networks first: of those that match a query with their longest domain, the
    /// first one wins.
    public internal(set) var routes: [Route] = []
    public internal(set) var health = Health()
    public internal(set) var cache = Cache()
    public internal(set) var tls = TLS()
    public internal(set) var dns = DNS()
    public internal(set) var local = Local()
    public internal(set) var log = Log()

    init() {}
}

extension Settings {
    /// `[local]`, as far as it is built.
    public struct Local: Sendable, Equatable {
        /// RFC 6761, 6303, 7686 names are answered here.
        public internal(set) var specialNames = true
    }

    /// `[log]`.
    public struct Log: Sendable, Equatable {
        /// Least important level that is still written.
        public enum Level: String, Sendable, CaseIterable { case error, warning, info, debug, trace }
        /// Where messages go: `auto` is the journal under systemd, else stderr.
        public enum Target: String, Sendable, CaseIterable { case auto, journal, stderr }
        /// How a message looks on stderr.
        public enum Format: String, Sendable, CaseIterable { case text, json }

        public internal(set) var level = Level.info
        public internal(set) var target = Target.auto
        public internal(set) var format = Format.text
    }

    /// `[dns]`.
    public struct DNS: Sendable, Equatable {
        /// Toward which transports letter case is randomised.
        public enum CaseRandomization: String, Sendable, CaseIterable { case off, udp, all }

        public internal(set) var coalesce = true
        /// A prefix to send with every query; nil = none. A client's own subnet is always stripped.
        public internal(set) var clientSubnet: AddressBlock?
        public internal(set) var cookies = true
        public internal(set) var caseRandomization = CaseRandomization.udp
        /// Block size in octets that queries over TLS and HTTPS are padded to; 0 = off.
        public internal(set) var padding = 128
        public internal(set) var extendedErrors = true
    }

    /// `[cache]`.
    public struct Cache: Sendable, Equatable {
        /// Bytes with overhead; 0 = off.
        public internal(set) var size = 64 << 20
        public internal(set) var minTTL = Duration.zero
        public internal(set) var maxTTL = Duration.seconds(86_400)
        public internal(set) var negativeMaxTTL = Duration.seconds(3_600)
        public internal(set) var failureTTL = Duration.seconds(5)
        /// Past its end that an answer is kept; zero = not at all.
        public internal(set) var stale = Duration.seconds(86_400)
        /// Zero = the stale answer comes at once.
        public internal(set) var staleAfter = Duration.milliseconds(1_800)
        public internal(set) var staleTTL = Duration.seconds(30)
        /// Percent of the TTL left; 0 = never.
        public internal(set) var prefetch = 10
        public internal(set) var prefetchMinHits = 2
        /// Whether snapshots are kept.
        public internal(set) var persist = true
        public internal(set) var persistInterval = Duration.seconds(600)
    }
}
