// `[server]` after every check. Part of Settings; made by SettingsBuilder, read by the daemon's mapping.

extension Settings {
    /// `[server]`.
    public struct Server: Sendable, Equatable {
        /// What happens to a new miss at `maxInflight`.
        public enum Overload: String, Sendable, CaseIterable { case servfail, drop }
        /// What an ANY query gets (RFC 8482).
        public enum AnyQuery: String, Sendable, CaseIterable { case minimal, refuse, forward }

        public internal(set) var listen: [Listener] = []
        /// Worker threads; `auto` is already resolved.
        public internal(set) var workers = 1
        /// Networks that may ask; the words of the file are expanded to blocks.
        public internal(set) var allow: [AddressBlock] = []
        /// Networks that may not, whatever `allow` says.
        public internal(set) var deny: [AddressBlock] = []
        public internal(set) var queryDeadline = Duration.seconds(4)
        public internal(set) var maxInflight = 20_000
        /// 0 = no limit.
        public internal(set) var maxInflightPerClient = 1_000
        public internal(set) var overload = Overload.servfail
        /// Queries a second and client prefix; 0 = no limit.
        public internal(set) var rateLimit = 0
        /// Octets.
        public internal(set) var udpPayload = 1_232
        /// Octets.
        public internal(set) var udpReceiveBuffer = 4 << 20
        /// Datagrams a system call.
        public internal(set) var udpBatch = 32
        public internal(set) var tcpMaxClients = 1_024
        public internal(set) var tcpIdleTimeout = Duration.seconds(10)
        public internal(set) var tcpMaxPipelined = 100
        public internal(set) var freebind = true
        public internal(set) var anyQuery = AnyQuery.minimal
        /// Answer to id.server and version.bind; empty = REFUSED.
        public internal(set) var identity = ""
        public internal(set) var shutdownGrace = Duration.seconds(5)
    }

    /// One address of `server.listen`.
    public struct Listener: Sendable, Equatable {
        public internal(set) var endpoint: AddressAndPort
        public internal(set) var udp: Bool
        public internal(set) var tcp: Bool
        /// As written, for messages.
        public internal(set) var text: String
    }
}
