// `[[route]]` and `[health]` after every check. Part of Settings; made by RouteBuilder and HealthBuilder, read by the
// daemon's mapping. Names are in wire form (RFC 1035 section 3.1) and lower case.

extension Settings {
    /// One `[[route]]`.
    public struct Route: Sendable, Equatable {
        /// What happens to a query that matches.
        public enum Action: Sendable, Equatable {
            /// Index into `Settings.groups`.
            case forward(group: Int)
            case refuse, nxdomain, drop
        }

        /// Suffixes; the root alone when none was written.
        public internal(set) var domains: [[UInt8]]
        /// Empty = for every client. None lies in another.
        public internal(set) var clients: [AddressBlock] = []
        /// Sorted; empty = for every type.
        public internal(set) var types: [UInt16] = []
        public internal(set) var action: Action
        public internal(set) var cache = true

        /// Of clients and types.
        var conditionCount: Int { (clients.isEmpty ? 0 : 1) + (types.isEmpty ? 0 : 1) }
    }

    /// `[health]`.
    public struct Health: Sendable, Equatable {
        /// Which upstreams are probed.
        public enum Mode: String, Sendable, CaseIterable { case off, lazy, active }

        public internal(set) var mode = Mode.lazy
        /// `active` only.
        public internal(set) var interval = Duration.seconds(10)
        /// The probe's question.
        public internal(set) var queryName: [UInt8] = [0]
        public internal(set) var queryType: UInt16 = 2
        public internal(set) var timeout = Duration.seconds(1)
        public internal(set) var failAfter = 3
        public internal(set) var recoverAfter = 1
        public internal(set) var backoffMin = Duration.seconds(1)
        public internal(set) var backoffMax = Duration.seconds(10)
    }
}
