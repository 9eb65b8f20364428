// The pool of one upstream: profile, then the keys written in [pool], then the same of [upstream.pool]. Called by
// UpstreamBuilder.

/// Merges the pool keys that hold for one upstream.
struct PoolBuilder {
    let checked: CheckedDocument
    /// `upstream#2.pool`; nil for an upstream that has no table of its own.
    let own: String?

    /// `max_connections` and `idle_timeout` of each profile.
    static let profiles: [String: (connections: Int, idle: Duration)] = [
        "low": (3, .seconds(300)), "medium": (10, .seconds(300)), "high": (20, .seconds(600)),
        "very-high": (50, .seconds(900)),
    ]

    func build() -> Settings.Pool {
        var pool = Settings.Pool()
        for layer in ["pool"] + (own.map { [$0] } ?? []) {
            if layer == "pool" || checked.isWritten(layer + ".profile"),
                let profile = PoolBuilder.profiles[checked.text(layer + ".profile")]
            {
                pool.maxConnections = profile.connections
                pool.idleTimeout = profile.idle
            }
            // Written out, a key wins over the profile of its own table.
            if checked.isWritten(layer + ".max_connections") {
                pool.maxConnections = checked.integer(layer + ".max_connections")
            }
            if checked.isWritten(layer + ".idle_timeout") {
                pool.idleTimeout = checked.duration(layer + ".idle_timeout")
            }
        }
        pool.learnIdle = checked.boolean(slot("learn_idle"))
        pool.minConnections = checked.integer(slot("min_connections"))
        pool.prewarm = checked.integer(slot("prewarm"))
        pool.maxInflight = checked.integer(slot("max_inflight"))
        pool.maxAge = checked.duration(slot("max_age"))
        pool.maxQueries = checked.integer(slot("max_queries"))
        pool.connectTimeout = checked.duration(slot("connect_timeout"))
        pool.acquireTimeout = checked.duration(slot("acquire_timeout"))
        pool.maxWaiters = checked.integer(slot("max_waiters"))
        pool.retryStale = checked.boolean(slot("retry_stale"))
        pool.udpMaxAge = checked.duration(slot("udp_max_age"))
        pool.udpMaxQueries = checked.integer(slot("udp_max_queries"))
        return pool
    }

    /// The problems of a pool that is good key by key.
    func problems(_ pool: Settings.Pool) -> [SettingsProblem] {
        [("min_connections", pool.minConnections), ("prewarm", pool.prewarm)].compactMap { name, count in
            guard count > pool.maxConnections else { return nil }
            let table = slot(name).hasPrefix("pool.") ? "pool" : "upstream.pool"
            return SettingsProblem(
                "'\(table).\(name)' is \(count), more than max_connections, which is \(pool.maxConnections)",
                from: checked.origin(slot(name)))
        }
    }

    private func slot(_ name: String) -> String {
        if let own, checked.isWritten("\(own).\(name)") { return "\(own).\(name)" }
        return "pool." + name
    }
}
