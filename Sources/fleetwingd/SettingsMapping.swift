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
            upstreams: (settings.upstreams + settings.bootstrap).map(upstream),
            groups: settings.groups.map { group($0, settings.upstreams) })
        if !settings.bootstrap.isEmpty {
            // A group that no query is routed to: only the engine itself asks it, for the addresses of upstreams.
            let members = settings.upstreams.count..<engine.upstreams.count
            engine.bootstrapGroup = engine.groups.count
            var group = GroupSettings(name: "bootstrap", members: Array(members))
            group.identity = "-"
            engine.groups.append(group)
        }
        engine.cache.size = settings.cache.size
        engine.cache.minTTL = wholeSeconds(settings.cache.minTTL)
        engine.cache.maxTTL = wholeSeconds(settings.cache.maxTTL)
        engine.cache.negativeMaxTTL = wholeSeconds(settings.cache.negativeMaxTTL)
        engine.cache.failureTTL = wholeSeconds(settings.cache.failureTTL)
        engine.cache.stale = wholeSeconds(settings.cache.stale)
        engine.cache.staleAfter = interval(settings.cache.staleAfter)
        engine.cache.staleTTL = wholeSeconds(settings.cache.staleTTL)
        engine.cache.prefetchPercent = settings.cache.prefetch
        engine.cache.prefetchMinHits = settings.cache.prefetchMinHits
        engine.health = health(settings.health)
        engine.routes = settings.routes.map(route)
        engine.detectsLoops = true

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
        engine.rateLimit = server.rateLimit
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
        runtime.persist = settings.cache.persist && settings.cache.size > 0
        runtime.persistInterval = interval(settings.cache.persistInterval)
        return runtime
    }

    static func endpoint(_ endpoint: AddressAndPort) -> Endpoint {
        Endpoint(address: address(endpoint.address), port: endpoint.port)
    }

    static func block(_ block: AddressBlock) -> NetworkBlock {
        NetworkBlock(address: address(block.address), prefixLength: block.prefixLength)
    }

    private static func address(_ address: IPAddress) -> NetworkAddress {
        address.isIPv6
            ? NetworkAddress(high: address.high, low: address.low)
            : NetworkAddress(ipv4: UInt32(truncatingIfNeeded: address.low))
    }

    static func interval(_ duration: Duration) -> Interval {
        let (seconds, attoseconds) = duration.components
        return Interval(nanoseconds: seconds &* 1_000_000_000 &+ attoseconds / 1_000_000_000)
    }

    /// TTLs count in whole seconds; a part of a second is rounded up, so that `"500ms"` does not become 0 = none.
    private static func wholeSeconds(_ duration: Duration) -> UInt32 {
        let (seconds, attoseconds) = duration.components
        return UInt32(clamping: seconds &+ (attoseconds > 0 ? 1 : 0))
    }
}
