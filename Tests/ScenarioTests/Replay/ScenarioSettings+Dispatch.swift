// The settings of a scenario that are about choosing and failing: strategies, hedges, health, loops, upstreams.

import ForwarderCore

@testable import Simulator

extension ScenarioSettings {
    /// An `upstream` line: `192.0.2.1 udp|tcp [weight=N] [authenticated] [system]`. The name of a system
    /// server is any word; it has no address until `SERVERS` gives it one.
    func upstream(_ name: String, _ words: [String]) throws -> UpstreamSettings {
        let isSystem = words.contains("system")
        let endpoints = isSystem ? [] : [Endpoint(address: try TestAddress.address(name), port: 53)]
        var upstream = UpstreamSettings(
            name: name, endpoints: endpoints, transport: words.contains("tcp") ? .tcp : .udp)
        upstream.pool = pool
        upstream.isSystem = isSystem
        upstream.isAuthenticated = words.contains("authenticated")
        for word in words where !["udp", "tcp", "system", "authenticated"].contains(word) {
            let parts = word.split(separator: "=").map(String.init)
            guard parts.count == 2, parts[0] == "weight" else { throw TestFormatError("unknown word \(word)") }
            upstream.weight = try number(parts[1])
        }
        return upstream
    }

    /// False when the key is of another part.
    mutating func setDispatch(_ name: String, _ value: String) throws -> Bool {
        switch name {
        case "parallel": group.parallel = try number(value)
        case "hedge":
            group.hedge =
                value == "off" ? .off : value == "auto" ? .auto : .after(try ScenarioSettings.duration(value))
        case "health":
            let known: [String: HealthMode] = ["off": .off, "lazy": .lazy, "active": .active]
            guard let mode = known[value] else { throw TestFormatError("unknown mode \(value)") }
            base.health.mode = mode
        case "interval": base.health.interval = try ScenarioSettings.duration(value)
        case "timeout": base.health.timeout = try ScenarioSettings.duration(value)
        case "fail_after": base.health.failAfter = try number(value)
        case "recover_after": base.health.recoverAfter = try number(value)
        case "backoff_min": base.health.backoffMin = try ScenarioSettings.duration(value)
        case "backoff_max": base.health.backoffMax = try ScenarioSettings.duration(value)
        case "detect_loops": base.detectsLoops = try flag(value)
        default: return false
        }
        return true
    }
}
