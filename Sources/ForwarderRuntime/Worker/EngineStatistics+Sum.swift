// Adding up what the workers' engines counted, and the names that the totals have in reports.

import ForwarderCore

extension EngineStatistics {
    mutating func add(_ other: EngineStatistics) {
        for path in EngineStatistics.totals.map(\.path) { self[keyPath: path] &+= other[keyPath: path] }
        for index in dropped.indices { dropped[index] &+= other.dropped[index] }
        for index in failures.indices { failures[index] &+= other.failures[index] }
        inFlight += other.inFlight
        inFlightPeak += other.inFlightPeak
    }

    /// Keys are stable.
    var named: [(String, UInt64)] { EngineStatistics.totals.map { ($0.name, self[keyPath: $0.path]) } }

    private static var totals: [(name: String, path: WritableKeyPath<EngineStatistics, UInt64>)] {
        [
            ("queries", \.queries), ("from_cache", \.fromCache), ("from_upstream", \.fromUpstream),
            ("stale", \.stale), ("coalesced", \.coalesced), ("local", \.local), ("refused", \.refused),
            ("routed", \.routed), ("slipped", \.slipped), ("failed", \.failed), ("overloaded", \.overloaded),
            ("refreshes", \.refreshes), ("prefetches", \.prefetches), ("refreshes_refused", \.refreshesRefused),
            ("fallbacks", \.fallbacks), ("outages", \.outages), ("network_changes", \.networkChanges),
            ("paced", \.paced),
        ]
    }
}

extension UpstreamStatistics {
    /// Totals add up; of gauges the worse one counts.
    mutating func add(_ other: UpstreamStatistics) {
        state = max(state, other.state)
        smoothedRoundTrip = [smoothedRoundTrip, other.smoothedRoundTrip].compactMap(\.self).max()
        percentile95 = [percentile95, other.percentile95].compactMap(\.self).max()
        inFlight += other.inFlight
        hedges &+= other.hedges
        hedgesWon &+= other.hedgesWon
        failovers &+= other.failovers
        probes &+= other.probes
        probesAnswered &+= other.probesAnswered
        downs &+= other.downs
        for index in extrasGranted.indices { extrasGranted[index] &+= other.extrasGranted[index] }
        for index in extrasDenied.indices { extrasDenied[index] &+= other.extrasDenied[index] }
    }
}

extension DropReason {
    /// As reports call it.
    var word: String {
        switch self {
        case .malformed: "malformed"
        case .notQuery: "not_query"
        case .accessDenied: "acl"
        case .overload: "overload"
        case .impatient: "impatient"
        case .rate: "rate"
        case .routed: "routed"
        }
    }
}
