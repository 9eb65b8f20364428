// What the engine as a whole counted: conservation (accepted = answered + dropped + in flight) can be read off it.

import DNSWire

/// Totals of one worker; the daemon sums them.
public struct EngineStatistics: Sendable {
    /// Client messages that came in.
    public var queries: UInt64 = 0
    public var fromCache: UInt64 = 0
    public var fromUpstream: UInt64 = 0
    /// Joined a question in flight.
    public var coalesced: UInt64 = 0
    public var local: UInt64 = 0
    /// Errors by our own rules (malformed, not allowed, not supported).
    public var refused: UInt64 = 0
    /// SERVFAIL because no upstream gave an answer.
    public var failed: UInt64 = 0
    /// Stale answers (RFC 8767), given instead of a fresh one.
    public var stale: UInt64 = 0
    /// Queries that a route refused, denied or dropped.
    public var routed: UInt64 = 0
    /// Over `rate_limit` and told to come back over TCP.
    public var slipped: UInt64 = 0
    /// Questions asked for the cache alone: of ended answers, of popular ones before their end, and those left out
    /// because the table is for clients.
    public var refreshes: UInt64 = 0
    public var prefetches: UInt64 = 0
    public var refreshesRefused: UInt64 = 0
    /// Questions that went to a fallback group.
    public var fallbacks: UInt64 = 0
    /// Times that all upstreams were down together.
    public var outages: UInt64 = 0
    public var networkChanges: UInt64 = 0
    /// Answers whose replies were held back for a moment.
    public var paced: UInt64 = 0
    /// At `max_inflight` or `max_inflight_per_client`.
    public var overloaded: UInt64 = 0
    /// Messages that got no reply, by `DropReason`.
    public var dropped = [UInt64](repeating: 0, count: DropReason.allCases.count)
    /// Failures of queries by whose fault they were, by `Fault`.
    public var failures = [UInt64](repeating: 0, count: Fault.allCases.count)
    public var inFlight = 0
    public var inFlightPeak = 0
    public init() {}
}

extension Engine {
    /// The engine's own counters.
    public func statistics() -> EngineStatistics {
        var result = counters
        result.inFlight = waiters.count
        result.inFlightPeak = queries.peak
        return result
    }

    /// One entry for each upstream.
    public func upstreamStatistics() -> [UpstreamStatistics] {
        clientUpstreams.map { index in
            var result = pools[index].dispatch
            let latency = pools[index].settings.transport == .udp ? pools[index].udpLatency : pools[index].tcpLatency
            result.upstream = pools[index].settings.name
            result.state = pools[index].health.state
            result.smoothedRoundTrip = latency.smoothed
            result.percentile95 = latency.percentile95
            result.inFlight = pools[index].inFlight
            for kind in ExtraKind.allCases {
                result.extrasGranted[kind.rawValue] = pools[index].extras.granted(kind)
                result.extrasDenied[kind.rawValue] = pools[index].extras.denied(kind)
            }
            return result
        }
    }

    /// One entry for each upstream and transport that is its own or was used.
    public func poolStatistics() -> [PoolStatistics] {
        var result: [PoolStatistics] = []
        for pool in pools {
            if pool.settings.transport == .udp { result.append(gauges(pool.udp, pool, .udp)) }
            let usesStreams =
                pool.settings.transport.isStream || pool.tcp.queries > 0 || pool.tcp.opened.contains { $0 > 0 }
            if usesStreams { result.append(gauges(pool.tcp, pool, pool.streamTransport)) }
        }
        return result
    }

    private func gauges(_ totals: PoolStatistics, _ pool: UpstreamPool, _ network: UpstreamTransport) -> PoolStatistics
    {
        var result = totals
        let slots = network == .udp ? pool.datagrams : pool.streams
        result.draining = network == .udp ? pool.drainingDatagrams : pool.drainingStreams
        for slot in slots {
            let connection = connections.slots[slot]
            if connection.state == .connecting {
                result.connecting += 1
            } else if connection.inFlight > 0 {
                result.active += 1
            } else {
                result.idle += 1
            }
        }
        for connection in connections.slots
        where connection.state != .free && connection.upstream == pool.index && connection.network == network {
            result.inFlight += connection.inFlight
        }
        result.maxConnections = pool.settings.pool.maxConnections
        result.idleTimeout = network == .udp ? pool.settings.pool.udpMaxAge : pool.settings.pool.idleTimeout
        result.learnedIdle = network.isStream ? pool.learnedIdle ?? .zero : .zero
        result.waiters = network == pool.settings.transport ? pool.waitingCount : 0
        return result
    }
}
