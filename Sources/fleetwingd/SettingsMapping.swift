// From the settings as the file has them to the settings as the engine and the runtime use them. Called by the daemon
// at start and at every reload. It only translates: every check has been made by ForwarderSettings, so nothing here can
// fail. Both sides keep their own types on purpose: the core must not know that there is a file.

import ForwarderCore
import ForwarderRuntime
import ForwarderSettings

/// Settings for the two layers below the daemon.
struct SettingsMapping {
    let engine: EngineSettings
    let runtime: RuntimeSettings

    init(_ settings: Settings) {
        engine = SettingsMapping.engine(settings)
        runtime = SettingsMapping.runtime(settings)
    }

    private static func engine(_ settings: Settings) -> EngineSettings {
        var engine = EngineSettings(
            upstreams: (settings.upstreams + settings.bootstrap).map(upstream), groups: settings.groups.map(group))
        if !settings.bootstrap.isEmpty {
            // A group that no query is routed to: only the engine itself asks it, for the addresses of upstreams.
            let members = settings.upstreams.count..<engine.upstreams.count
            engine.bootstrapGroup = engine.groups.count
            engine.groups.append(GroupSettings(name: "bootstrap", members: Array(members)))
        }
        engine.cache.size = settings.cache.size
        engine.cache.minTTL = wholeSeconds(settings.cache.minTTL)
        engine.cache.maxTTL = wholeSeconds(settings.cache.maxTTL)
        engine.cache.negativeMaxTTL = wholeSeconds(settings.cache.negativeMaxTTL)
        engine.cache.failureTTL = wholeSeconds(settings.cache.failureTTL)

        let server = settings.server
        engine.allow = server.allow.map(block)
        engine.deny = server.deny.map(block)
        engine.queryDeadline = interval(server.queryDeadline)
        engine.maxInflight = server.maxInflight
        engine.maxInflightPerClient = server.maxInflightPerClient
        engine.overload =
            switch server.overload {
            case .servfail: .serverFailure
            case .drop: .drop
            }
        engine.udpPayload = UInt16(clamping: server.udpPayload)
        engine.tcpIdleTimeout = interval(server.tcpIdleTimeout)
        engine.anyQuery =
            switch server.anyQuery {
            case .minimal: .minimal
            case .refuse: .refuse
            case .forward: .forward
            }
        engine.identity = server.identity

        engine.coalesce = settings.dns.coalesce
        engine.clientSubnet = settings.dns.clientSubnet.map(block)
        engine.cookies = settings.dns.cookies
        engine.caseRandomization =
            switch settings.dns.caseRandomization {
            case .off: .off
            case .udp: .udp
            case .all: .all
            }
        engine.padding = settings.dns.padding
        engine.extendedErrors = settings.dns.extendedErrors
        engine.specialNames = settings.local.specialNames
        return engine
    }

    private static func runtime(_ settings: Settings) -> RuntimeSettings {
        let server = settings.server
        var runtime = RuntimeSettings()
        runtime.listen = server.listen.map {
            ListenAddress(endpoint: endpoint($0.endpoint), udp: $0.udp, tcp: $0.tcp, text: $0.text)
        }
        runtime.workers = server.workers
        runtime.udpReceiveBuffer = server.udpReceiveBuffer
        runtime.udpBatch = server.udpBatch
        runtime.tcpMaxClients = server.tcpMaxClients
        runtime.tcpIdleTimeout = interval(server.tcpIdleTimeout)
        runtime.tcpMaxPipelined = server.tcpMaxPipelined
        runtime.freebind = server.freebind
        runtime.shutdownGrace = interval(server.shutdownGrace)
        // By index, so the bootstrap servers count too; they have none.
        runtime.security = (settings.upstreams + settings.bootstrap).map { upstream in
            upstream.security.map { security($0, settings.tls) }
        }
        runtime.resumption = settings.tls.resumption
        runtime.keylog = settings.tls.keylog
        return runtime
    }

    private static func upstream(_ upstream: Settings.Upstream) -> UpstreamSettings {
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
        return mapped
    }

    private static func security(_ security: Settings.Security, _ tls: Settings.TLS) -> UpstreamSecurity {
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

    private static func group(_ group: Settings.Group) -> GroupSettings {
        var mapped = GroupSettings(name: group.name, members: group.members)
        mapped.strategy =
            switch group.strategy {
            case .fastest: .fastest
            case .ordered: .ordered
            case .roundRobin: .roundRobin
            case .random: .random
            }
        mapped.explorePercent = group.explore
        mapped.attempts = group.attempts
        mapped.attemptTimeout = group.attemptTimeout.map(interval)
        mapped.failoverOn = Set(group.failoverOn.map { UInt16(clamping: $0) })
        return mapped
    }

    private static func endpoint(_ endpoint: AddressAndPort) -> Endpoint {
        Endpoint(address: address(endpoint.address), port: endpoint.port)
    }

    private static func block(_ block: AddressBlock) -> NetworkBlock {
        NetworkBlock(address: address(block.address), prefixLength: block.prefixLength)
    }

    private static func address(_ address: IPAddress) -> NetworkAddress {
        address.isIPv6
            ? NetworkAddress(high: address.high, low: address.low)
            : NetworkAddress(ipv4: UInt32(truncatingIfNeeded: address.low))
    }

    private static func interval(_ duration: Duration) -> Interval {
        let (seconds, attoseconds) = duration.components
        return Interval(nanoseconds: seconds &* 1_000_000_000 &+ attoseconds / 1_000_000_000)
    }

    /// TTLs count in whole seconds; a part of a second is rounded up, so that `"500ms"` does not become 0 = none.
    private static func wholeSeconds(_ duration: Duration) -> UInt32 {
        let (seconds, attoseconds) = duration.components
        return UInt32(clamping: seconds &+ (attoseconds > 0 ? 1 : 0))
    }
}
