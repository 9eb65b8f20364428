// The CONFIG section: `key: value` lines with the names of fleetwing.toml, turned into EngineSettings.
//
// What varies by chance (case, cookies, exploring, prewarmed connections) is off unless a scenario asks for it.

import ForwarderCore

@testable import Simulator

/// Settings of a scenario, gathered key by key.
struct ScenarioSettings {
    var pool = PoolSettings()
    var group = GroupSettings(name: "default", members: [])
    var base = EngineSettings(upstreams: [], groups: [])
    /// `upstream` lines: the address, or the name of a system server, and the words after it.
    private var upstreams: [(name: String, words: [String])] = []
    /// What ScenarioSettings+Answers reads of `group`, `fallback` and `route` lines.
    var routing = ScenarioRouting()
    /// Streams connect by themselves at once.
    private(set) var connectsAtOnce = true

    init() {
        pool.prewarm = 0
        group.strategy = .ordered
        group.explorePercent = 0
        base.allow = [
            NetworkBlock(address: NetworkAddress(ipv4: 0), prefixLength: 0),
            NetworkBlock(address: NetworkAddress(high: 0, low: 0), prefixLength: 0),
        ]
        base.cookies = false
        base.caseRandomization = .off
    }

    /// The whole, as the engine takes it. Without an `upstream` line there is one, 192.0.2.1 over UDP.
    func engineSettings() throws -> EngineSettings {
        var settings = base
        for (name, words) in upstreams.isEmpty ? [("192.0.2.1", ["udp"])] : upstreams {
            settings.upstreams.append(try upstream(name, words))
        }
        try routing.apply(to: &settings, whole: group)
        return settings
    }

    /// Takes one line.
    mutating func set(_ key: String, _ values: [String]) throws {
        guard let value = values.first else { throw TestFormatError("\(key) needs a value") }
        let name = key.hasSuffix(":") ? String(key.dropLast()) : key
        if name == "upstream" {
            upstreams.append((value, Array(values.dropFirst())))
            return
        }
        if try setDispatch(name, value) { return }
        if try setPool(name, value) { return }
        if try setGroup(name, value, values) { return }
        if try setServer(name, value, values) { return }
        if try setAnswers(name, value, values) { return }
        throw TestFormatError("unknown setting \(name)")
    }

    private mutating func setPool(_ name: String, _ value: String) throws -> Bool {
        switch name {
        case "max_connections": pool.maxConnections = try number(value)
        case "idle_timeout": pool.idleTimeout = try ScenarioSettings.duration(value)
        case "learn_idle": pool.learnIdle = try flag(value)
        case "min_connections": pool.minConnections = try number(value)
        case "prewarm": pool.prewarm = try number(value)
        case "pool_max_inflight": pool.maxInflight = try number(value)
        case "max_age": pool.maxAge = try ScenarioSettings.duration(value)
        case "max_queries": pool.maxQueries = try number(value)
        case "connect_timeout": pool.connectTimeout = try ScenarioSettings.duration(value)
        case "acquire_timeout": pool.acquireTimeout = try ScenarioSettings.duration(value)
        case "max_waiters": pool.maxWaiters = try number(value)
        case "retry_stale": pool.retryStale = try flag(value)
        case "udp_max_age": pool.udpMaxAge = try ScenarioSettings.duration(value)
        case "udp_max_queries": pool.udpMaxQueries = try number(value)
        case "auto_connect": connectsAtOnce = try flag(value)
        default: return false
        }
        return true
    }

    private mutating func setGroup(_ name: String, _ value: String, _ values: [String]) throws -> Bool {
        switch name {
        case "strategy":
            let known: [String: StrategyKind] = [
                "fastest": .fastest, "ordered": .ordered, "round-robin": .roundRobin, "random": .random,
                "weighted": .weighted, "parallel": .parallel, "sticky": .sticky,
            ]
            guard let strategy = known[value] else { throw TestFormatError("unknown strategy \(value)") }
            group.strategy = strategy
        case "explore": group.explorePercent = try number(value)
        case "attempts": group.attempts = try number(value)
        case "attempt_timeout": group.attemptTimeout = value == "auto" ? nil : try ScenarioSettings.duration(value)
        case "failover_on": group.failoverOn = Set(values.compactMap { TestType.rcodes[$0] })
        case "cache_size": base.cache.size = try number(value)
        case "min_ttl": base.cache.minTTL = UInt32(try number(value))
        case "max_ttl": base.cache.maxTTL = UInt32(try number(value))
        case "negative_max_ttl": base.cache.negativeMaxTTL = UInt32(try number(value))
        case "failure_ttl": base.cache.failureTTL = UInt32(try number(value))
        default: return false
        }
        return true
    }

    private mutating func setServer(_ name: String, _ value: String, _ values: [String]) throws -> Bool {
        switch name {
        case "allow": base.allow = try values.map(block)
        case "deny": base.deny = try values.map(block)
        case "query_deadline": base.queryDeadline = try ScenarioSettings.duration(value)
        case "max_inflight": base.maxInflight = try number(value)
        case "max_inflight_per_client": base.maxInflightPerClient = try number(value)
        case "overload": base.overload = value == "drop" ? .drop : .serverFailure
        case "udp_payload": base.udpPayload = UInt16(try number(value))
        case "any_query": base.anyQuery = value == "refuse" ? .refuse : value == "forward" ? .forward : .minimal
        case "identity": base.identity = value
        case "coalesce": base.coalesce = try flag(value)
        case "client_subnet": base.clientSubnet = try block(value)
        case "cookies": base.cookies = try flag(value)
        case "case_randomization": base.caseRandomization = value == "udp" ? .udp : value == "all" ? .all : .off
        case "extended_errors": base.extendedErrors = try flag(value)
        case "special_names": base.specialNames = try flag(value)
        default: return false
        }
        return true
    }

    func number(_ text: String) throws -> Int {
        guard let value = Int(text), value >= 0 else { throw TestFormatError("not a number: \(text)") }
        return value
    }

    func flag(_ text: String) throws -> Bool {
        guard text == "yes" || text == "no" else { throw TestFormatError("yes or no, not \(text)") }
        return text == "yes"
    }

    func block(_ text: String) throws -> NetworkBlock {
        let parts = text.split(separator: "/").map(String.init)
        guard parts.count == 2 else { throw TestFormatError("not a CIDR block: \(text)") }
        return NetworkBlock(address: try TestAddress.address(parts[0]), prefixLength: try number(parts[1]))
    }

    /// `300ms`, `4s`, `5m`, and seconds without a unit (`0.25`).
    static func duration(_ text: String) throws -> Interval {
        let units: [(String, Double)] = [("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)]
        for (unit, factor) in units where text.hasSuffix(unit) {
            guard let value = Double(text.dropLast(unit.count)) else { continue }
            return Interval(nanoseconds: Int64((value * factor).rounded()))
        }
        guard let value = Double(text) else { throw TestFormatError("not a duration: \(text)") }
        return Interval(nanoseconds: Int64((value * 1e9).rounded()))
    }
}
