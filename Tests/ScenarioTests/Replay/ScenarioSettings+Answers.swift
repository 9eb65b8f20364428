// The settings of what clients are answered with: stale answers, prefetching, fallback groups, routes, the rate limit.

import ForwarderCore

@testable import Simulator

extension ScenarioSettings {
    mutating func setAnswers(_ name: String, _ value: String, _ values: [String]) throws -> Bool {
        switch name {
        case "stale": base.cache.stale = try seconds(value)
        case "stale_after": base.cache.staleAfter = try ScenarioSettings.duration(value)
        case "stale_ttl": base.cache.staleTTL = try seconds(value)
        case "prefetch": base.cache.prefetchPercent = try number(value)
        case "prefetch_min_hits": base.cache.prefetchMinHits = try number(value)
        case "rate_limit": base.rateLimit = try number(value)
        case "when_down":
            let known: [String: WhenDown] = ["stale": .stale, "servfail": .serverFailure, "fallback": .fallback]
            guard let whenDown = known[value] else { throw TestFormatError("unknown when_down \(value)") }
            group.whenDown = whenDown
        case "group": routing.addGroup(values)
        case "fallback": routing.setFallback(value)
        case "route": try routing.addRoute(values, block: block)
        case "fail_after": base.health.failAfter = try number(value)
        case "backoff_min": base.health.backoffMin = try ScenarioSettings.duration(value)
        default: return false
        }
        return true
    }

    private func seconds(_ text: String) throws -> UInt32 {
        UInt32(clamping: try ScenarioSettings.duration(text).nanoseconds / 1_000_000_000)
    }
}
