// Upstreams, groups, routes and health, from the settings as the file has them to those of the engine and the runtime.
// Called by SettingsMapping. It only translates, as all of that does.

import ForwarderCore
import ForwarderRuntime
import ForwarderSettings

extension SettingsMapping {
    static func upstream(_ upstream: Settings.Upstream) -> UpstreamSettings {
        let transport: UpstreamTransport =
            switch upstream.transport {
            case .udp: .udp
            case .tcp: .tcp
            case .tls: .tls
            case .https: .https
            }
        var mapped = UpstreamSettings(
            name: upstream.name, endpoints: upstream.endpoints.map(endpoint), transport: transport)
        mapped.hostName = wireForm(upstream.hostName)
        mapped.port = upstream.port
        mapped.pool = pool(upstream.pool)
        mapped.weight = upstream.weight
        mapped.isAuthenticated = upstream.transport.isEncrypted && upstream.security?.verify == true
        mapped.isSystem = upstream.isSystem
        return mapped
    }

    static func security(_ security: Settings.Security, _ tls: Settings.TLS) -> UpstreamSecurity {
        var mapped = UpstreamSecurity(serverName: security.name)
        mapped.verify = security.verify
        mapped.pins = security.pins
        mapped.caFile = security.ca
        mapped.minimumVersion =
            switch tls.minVersion {
            case .v12: .v12
            case .v13: .v13
            }
        mapped.path = security.path
        mapped.authority = security.authority
        mapped.method =
            switch security.method {
            case .post: .post
            case .get: .get
            }
        return mapped
    }

    /// RFC 1035 section 3.1, with the root at its end; empty for no name. The settings have labels of 1 to 63 octets
    /// only, in lower case.
    private static func wireForm(_ name: String) -> [UInt8] {
        guard !name.isEmpty else { return [] }
        var octets: [UInt8] = []
        for label in name.utf8.split(separator: UInt8(ascii: ".")) {
            octets.append(UInt8(truncatingIfNeeded: label.count))
            octets += label
        }
        return octets + [0]
    }

    private static func pool(_ pool: Settings.Pool) -> PoolSettings {
        var mapped = PoolSettings()
        mapped.maxConnections = pool.maxConnections
        mapped.idleTimeout = interval(pool.idleTimeout)
        mapped.learnIdle = pool.learnIdle
        mapped.minConnections = pool.minConnections
        mapped.prewarm = pool.prewarm
        mapped.maxInflight = pool.maxInflight
        mapped.maxAge = interval(pool.maxAge)
        mapped.maxQueries = pool.maxQueries
        mapped.connectTimeout = interval(pool.connectTimeout)
        mapped.acquireTimeout = interval(pool.acquireTimeout)
        mapped.maxWaiters = pool.maxWaiters
        mapped.retryStale = pool.retryStale
        mapped.udpMaxAge = interval(pool.udpMaxAge)
        mapped.udpMaxQueries = pool.udpMaxQueries
        return mapped
    }

    /// `upstreams`: those that members are indexes into.
    static func group(_ group: Settings.Group, _ upstreams: [Settings.Upstream]) -> GroupSettings {
        var mapped = GroupSettings(name: group.name, members: group.members)
        mapped.strategy =
            switch group.strategy {
            case .fastest: .fastest
            case .ordered: .ordered
            case .roundRobin: .roundRobin
            case .random: .random
            case .weighted: .weighted
            case .parallel: .parallel
            case .sticky: .sticky
            }
        mapped.parallel = group.parallel
        mapped.hedge =
            switch group.hedge {
            case .off: .off
            case .auto: .auto
            case .after(let delay): .after(interval(delay))
            }
        mapped.explorePercent = group.explore
        mapped.attempts = group.attempts
        mapped.attemptTimeout = group.attemptTimeout.map(interval)
        mapped.failoverOn = Set(group.failoverOn.map { UInt16(clamping: $0) })
        mapped.fallback = group.fallback
        mapped.whenDown =
            switch group.whenDown {
            case .stale: .stale
            case .servfail: .serverFailure
            case .fallback: .fallback
            }
        // Another order of the same upstreams gives the same answers.
        let urls = group.members.map { upstreams[$0].url }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        // What a network's own servers say holds in that network only.
        let isOfNetwork = group.members.contains { upstreams[$0].isSystem }
        mapped.identity = isOfNetwork ? "-" : group.name + "=" + urls.joined(separator: " ")
        return mapped
    }

    static func health(_ health: Settings.Health) -> HealthSettings {
        var mapped = HealthSettings()
        mapped.mode =
            switch health.mode {
            case .off: .off
            case .lazy: .lazy
            case .active: .active
            }
        mapped.interval = interval(health.interval)
        mapped.queryName = health.queryName
        mapped.queryType = health.queryType
        mapped.timeout = interval(health.timeout)
        mapped.failAfter = health.failAfter
        mapped.recoverAfter = health.recoverAfter
        mapped.backoffMin = interval(health.backoffMin)
        mapped.backoffMax = interval(health.backoffMax)
        return mapped
    }

    static func route(_ route: Settings.Route) -> RouteSettings {
        let action: RouteAction =
            switch route.action {
            case .forward(let group): .forward(group: group)
            case .refuse: .refuse
            case .nxdomain: .nameError
            case .drop: .drop
            }
        var mapped = RouteSettings(domains: route.domains, action: action)
        mapped.clients = route.clients.map(block)
        mapped.types = route.types
        mapped.caches = route.cache
        return mapped
    }
}
