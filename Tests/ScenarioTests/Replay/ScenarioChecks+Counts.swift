// CHECK_COUNT: the counters of the engine as a whole.

import ForwarderCore

@testable import Simulator

extension ScenarioRunner {
    func checkCount(_ step: Step) throws {
        let counters = world.engine.statistics()
        var values: [String: UInt64] = [
            "queries": counters.queries, "from_cache": counters.fromCache, "from_upstream": counters.fromUpstream,
            "coalesced": counters.coalesced, "local": counters.local, "refused": counters.refused,
            "failed": counters.failed, "stale": counters.stale, "routed": counters.routed,
            "slipped": counters.slipped, "refreshes": counters.refreshes, "prefetches": counters.prefetches,
            "refreshes_refused": counters.refreshesRefused, "fallbacks": counters.fallbacks,
            "outages": counters.outages, "paced": counters.paced, "overloaded": counters.overloaded,
        ]
        for reason in DropReason.allCases { values["dropped_\(reason)"] = counters.dropped[reason.rawValue] }
        for upstream in world.engine.upstreamStatistics() {
            for kind in ExtraKind.allCases {
                values["granted_\(kind.word)", default: 0] += upstream.extrasGranted[kind.rawValue]
                values["denied_\(kind.word)", default: 0] += upstream.extrasDenied[kind.rawValue]
            }
        }
        guard let name = step.words.first, let value = values[name] else {
            throw step.failure("no known counter; known: \(values.keys.sorted().joined(separator: " "))")
        }
        try compare(step, name, Double(value))
    }
}
