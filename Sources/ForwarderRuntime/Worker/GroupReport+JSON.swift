// The figures of the process as one JSON object: what SIGUSR1 writes to the log.
//
// Keys are stable; seconds are decimal numbers. No query names and no client addresses are in it.

import ForwarderCore

extension GroupReport {
    /// Writes the object's fields into an object that is open.
    public func write(into json: inout JSONWriter) {
        json.field("in_flight", inFlight)
        json.field("silent_workers", silent)
        json.beginObject("engine")
        for (name, value) in engine.named { json.field(name, value) }
        json.beginObject("dropped")
        for reason in DropReason.allCases { json.field(reason.word, engine.dropped[reason.rawValue]) }
        json.endObject()
        json.beginObject("failures")
        for fault in Fault.allCases { json.field(fault.word, engine.failures[fault.rawIndex]) }
        json.endObject()
        json.endObject()
        json.beginArray("upstreams")
        for upstream in upstreams { GroupReport.write(upstream, into: &json) }
        json.endArray()
        json.beginArray("pools")
        for pool in pools { GroupReport.write(pool, into: &json) }
        json.endArray()
        json.beginObject("cache")
        json.field("entries", cache.entries)
        json.field("bytes", cache.bytes)
        json.field("limit", cache.limit)
        json.field("hits", cache.hits)
        json.field("misses", cache.misses)
        json.field("stale_hits", cache.staleHits)
        json.field("due_hits", cache.dueHits)
        json.field("inserts", cache.inserts)
        json.field("evictions", cache.evictions)
        json.endObject()
        json.beginObject("clients")
        for (name, value) in counters.named { json.field(name, value) }
        json.endObject()
        json.beginObject("tls")
        for (name, value) in counters.handshakes { json.field(name, value) }
        json.endObject()
        json.beginObject("syscalls")
        for (name, value) in counters.systemCalls { json.field(name, value) }
        json.endObject()
    }

    private static func write(_ upstream: UpstreamStatistics, into json: inout JSONWriter) {
        json.beginObject()
        json.field("upstream", upstream.upstream)
        json.field("state", upstream.state.word)
        json.field("in_flight", upstream.inFlight)
        if let smoothed = upstream.smoothedRoundTrip { json.field("srtt", milliseconds: smoothed.inMilliseconds) }
        if let slow = upstream.percentile95 { json.field("p95", milliseconds: slow.inMilliseconds) }
        json.field("hedges", upstream.hedges)
        json.field("hedges_won", upstream.hedgesWon)
        json.field("failovers", upstream.failovers)
        json.field("probes", upstream.probes)
        json.field("probes_answered", upstream.probesAnswered)
        json.field("downs", upstream.downs)
        json.beginObject("extras")
        for kind in ExtraKind.allCases { json.field(kind.word, upstream.extrasGranted[kind.rawValue]) }
        json.endObject()
        json.beginObject("extras_denied")
        for kind in ExtraKind.allCases { json.field(kind.word, upstream.extrasDenied[kind.rawValue]) }
        json.endObject()
        json.endObject()
    }

    private static func write(_ pool: PoolStatistics, into json: inout JSONWriter) {
        json.beginObject()
        json.field("upstream", pool.upstream)
        json.field("address", pool.address.text)
        json.field("network", pool.network)
        json.field("active", pool.active)
        json.field("connecting", pool.connecting)
        json.field("draining", pool.draining)
        json.field("idle", pool.idle)
        json.field("total", pool.total)
        json.field("peak", pool.peak)
        json.field("max_connections", pool.maxConnections)
        json.field("idle_timeout", milliseconds: pool.idleTimeout.inMilliseconds)
        json.field("learned_idle", milliseconds: pool.learnedIdle.inMilliseconds)
        json.field("waiters", pool.waiters)
        json.field("in_flight", pool.inFlight)
        json.beginObject("opened")
        for reason in OpenReason.allCases { json.field(reason.word, pool.opened[reason.rawValue]) }
        json.endObject()
        json.beginObject("closed")
        for reason in CloseReason.allCases { json.field(reason.word, pool.closed[reason.rawValue]) }
        json.endObject()
        json.beginObject("failures")
        for fault in Fault.allCases { json.field(fault.word, pool.failures[Int(fault.rawValue)]) }
        json.endObject()
        json.field("queries", pool.queries)
        json.field("reused", pool.reused)
        json.field("waited", pool.waited)
        json.field("wait_failed", pool.waitFailed)
        json.field("responses", pool.responses)
        json.field("timeouts", pool.timeouts)
        json.field("late_responses", pool.lateResponses)
        json.field("near_misses", pool.nearMisses)
        json.field("truncated", pool.truncated)
        json.field("stale_retries", pool.staleRetries)
        json.endObject()
    }
}

extension Fault {
    var word: String {
        switch self {
        case .local: "local"
        case .path: "path"
        case .upstream: "upstream"
        case .name: "name"
        }
    }
}
