// The engine's settings of one seed: small limits and short times, so that every bound is met within a minute.

import ForwarderCore

/// Draws settings.
enum SimulationSettings {
    /// More than any run needs.
    static let amplePlaces = 512

    static func draw(_ chance: inout SplitMix) -> EngineSettings {
        let count = 1 + Int(chance.below(4))
        let upstreams = (0..<count).map { upstream($0, &chance) }
        var settings = EngineSettings(upstreams: upstreams, groups: [group(Array(0..<count), &chance)])
        settings.allow = [
            NetworkBlock(address: NetworkAddress(ipv4: 0), prefixLength: 0),
            NetworkBlock(address: NetworkAddress(high: 0, low: 0), prefixLength: 0),
        ]
        settings.deny = [NetworkBlock(address: NetworkAddress(ipv4: 0x0a63_0000), prefixLength: 16)]
        settings.queryDeadline = .milliseconds(chance.chance(70) ? 4_000 : 1_500 + chance.below(5_000))
        settings.maxInflight = chance.chance(85) ? amplePlaces : 4 + Int(chance.below(40))
        settings.maxInflightPerClient = chance.chance(85) ? amplePlaces : 2 + Int(chance.below(20))
        settings.overload = chance.chance(80) ? .serverFailure : .drop
        settings.coalesce = chance.chance(85)
        settings.cookies = chance.chance(60)
        settings.caseRandomization = chance.chance(60) ? .udp : chance.chance(50) ? .all : .off
        settings.extendedErrors = chance.chance(80)
        settings.identity = "simulated"
        settings.detectsLoops = chance.chance(20)
        cache(&settings.cache, &chance)
        health(&settings.health, &chance)
        return settings
    }

    private static func cache(_ cache: inout CacheSettings, _ chance: inout SplitMix) {
        cache.size = chance.chance(75) ? 1 << 20 : 0
        cache.failureTTL = chance.chance(80) ? 5 : 0
        if chance.chance(60) { cache.stale = chance.chance(50) ? 86_400 : 60 }
        cache.staleAfter = chance.chance(60) ? .milliseconds(1_800) : chance.chance(50) ? .zero : .milliseconds(300)
        if chance.chance(40) { cache.prefetchPercent = 10 }
        cache.prefetchMinHits = 1 + Int(chance.below(3))
    }

    private static func health(_ health: inout HealthSettings, _ chance: inout SplitMix) {
        health.mode = chance.chance(60) ? .lazy : chance.chance(50) ? .off : .active
        health.interval = .milliseconds(1_000 + chance.below(10_000))
        health.timeout = .milliseconds(300 + chance.below(1_000))
        health.failAfter = 1 + Int(chance.below(4))
        health.recoverAfter = 1 + Int(chance.below(2))
        if chance.chance(30) { health.backoffMax = .milliseconds(1_000 + chance.below(8_000)) }
    }

    private static func group(_ members: [Int], _ chance: inout SplitMix) -> GroupSettings {
        var group = GroupSettings(name: "default", members: members)
        let kinds: [StrategyKind] = [.fastest, .ordered, .roundRobin, .random, .weighted, .parallel, .sticky]
        group.strategy = kinds[Int(chance.below(Int64(kinds.count)))]
        group.explorePercent = Int(chance.below(20))
        group.attempts = chance.chance(60) ? 3 : 2 + Int(chance.below(4))
        if chance.chance(25) { group.attemptTimeout = .milliseconds(100 + chance.below(1_500)) }
        group.parallel = 2 + Int(chance.below(2))
        group.hedge =
            chance.chance(40) ? .auto : chance.chance(30) ? .after(.milliseconds(10 + chance.below(300))) : .off
        group.whenDown = chance.chance(60) ? .stale : .serverFailure
        return group
    }

    /// The addresses of an upstream, by number.
    static func endpoint(_ upstream: Int, _ number: Int) -> Endpoint {
        Endpoint(address: NetworkAddress(ipv4: 0xc000_0200 + UInt32(upstream * 16 + number)), port: 53)
    }

    private static func upstream(_ index: Int, _ chance: inout SplitMix) -> UpstreamSettings {
        let draw = chance.below(100)
        let transport: UpstreamTransport = draw < 50 ? .udp : draw < 65 ? .tcp : draw < 82 ? .tls : .https
        let addresses = chance.chance(25) ? 2 : 1
        var upstream = UpstreamSettings(
            name: "192.0.2.\(index * 16)", endpoints: (0..<addresses).map { endpoint(index, $0) }, transport: transport)
        upstream.weight = 1 + Int(chance.below(5))
        upstream.isAuthenticated = transport.isEncrypted && chance.chance(80)
        if transport == .udp, chance.chance(15) { upstream.isSystem = true }
        upstream.pool.maxConnections = 1 + Int(chance.below(8))
        upstream.pool.maxInflight = 1 + Int(chance.below(chance.chance(50) ? 8 : 100))
        upstream.pool.udpMaxQueries = 1 + Int(chance.below(40))
        upstream.pool.prewarm = Int(chance.below(2))
        if chance.chance(20) { upstream.pool.minConnections = 1 + Int(chance.below(2)) }
        if chance.chance(20) { upstream.pool.maxQueries = 1 + Int(chance.below(50)) }
        if chance.chance(20) { upstream.pool.maxWaiters = 1 + Int(chance.below(20)) }
        upstream.pool.idleTimeout = .milliseconds(chance.chance(50) ? 300_000 : 200 + chance.below(20_000))
        upstream.pool.maxAge = .milliseconds(chance.chance(50) ? 3_600_000 : 1_000 + chance.below(60_000))
        upstream.pool.udpMaxAge = .milliseconds(500 + chance.below(20_000))
        upstream.pool.connectTimeout = .milliseconds(chance.chance(60) ? 2_000 : 300 + chance.below(2_500))
        upstream.pool.acquireTimeout = .milliseconds(chance.chance(60) ? 1_000 : 100 + chance.below(1_500))
        upstream.pool.retryStale = chance.chance(85)
        upstream.pool.learnIdle = chance.chance(80)
        return upstream
    }
}
