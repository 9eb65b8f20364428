// The accounts: queries are conserved, nothing is left over, and in fair weather everything works again.

import ForwarderCore

extension Simulation {
    /// From the end of the weather to the first answer.
    private static let recoveryLimit = Interval.seconds(2)
    /// The same when the engine was told.
    private static let changeLimit = Interval.seconds(1)
    /// From then on every question is answered.
    private static let wellAfter = Interval.milliseconds(5_900)

    func judge() {
        checkExchanges()
        checkConservation()
        checkRecovery()
        if world.engine.inFlightCount != 0 { report("\(world.engine.inFlightCount) queries are left") }
        let probes = plan.settings.health.mode == .active
        for pool in world.engine.poolStatistics() where !probes && (pool.inFlight != 0 || pool.waiters != 0) {
            report("\(pool.upstream) \(pool.network): \(pool.inFlight) in flight, \(pool.waiters) wait")
        }
        let kept = plan.settings.upstreams.reduce(0) { $0 + $1.pool.minConnections }
        if !probes, world.connections.count > kept {
            report("\(world.connections.count) sockets are open in the end, \(kept) may be")
        }
    }

    /// Whether the tables are so small that clients may be turned away, or dropped for others.
    var mayShed: Bool {
        plan.settings.overload == .drop || plan.settings.maxInflight < SimulationSettings.amplePlaces
            || plan.settings.maxInflightPerClient < SimulationSettings.amplePlaces
    }

    private func checkExchanges() {
        var silent = 0
        for (number, ask) in plan.asks.enumerated() {
            guard let exchange = world.exchanges[UInt16(Simulation.firstPort + number)] else { continue }
            guard exchange.answers.isEmpty else { continue }
            silent += 1
            let mayDrop = ask.kind != .short && ask.kind != .response && mayShed
            if !exchange.expectsSilence && !mayDrop {
                report("client \(Simulation.firstPort + number) was never answered")
            }
        }
        let dropped = world.engine.statistics().dropped.reduce(0, +)
        if dropped != silent { report("\(silent) clients got nothing, \(dropped) messages count as dropped") }
    }

    /// Accepted = answered + refused + dropped + in flight, by the engine's own counters and by what clients saw.
    func checkConservation() {
        let counts = world.engine.statistics()
        let shed = plan.settings.overload == .drop ? 0 : counts.overloaded
        let replied =
            counts.fromCache + counts.fromUpstream + counts.local + counts.refused + counts.failed
            + counts.stale + shed
        let dropped = counts.dropped.reduce(0, +)
        if counts.queries != replied + dropped + UInt64(counts.inFlight) {
            report(
                "\(counts.queries) queries, but \(replied) replies, \(dropped) dropped, \(counts.inFlight) in flight")
        }
        if counts.queries != UInt64(askedCount) { report("\(askedCount) queries asked, \(counts.queries) counted") }
        if replied != UInt64(world.answered.count) {
            report("\(world.answered.count) clients answered, \(replied) counted")
        }
    }

    private func checkRecovery() {
        guard let fairAt = plan.fairAt, !mayShed else { return }
        let fair = fairAt + slept
        if let first = firstRecovery {
            // Servers that end each stream after a few answers serve those first who have waited long.
            let isQuick = plan.endsElsewhere && plan.traits.allSatisfy { $0.answersPerStream == 0 }
            if first - fair > (isQuick ? Simulation.changeLimit : Simulation.recoveryLimit) {
                report("fair weather since \((first - fair).inMilliseconds) ms before the first answer")
            }
        } else {
            report("no answer in fair weather")
        }
        for (number, ask) in plan.asks.enumerated() where ask.isRecovery && ask.at - fairAt > Simulation.wellAfter {
            let exchange = world.exchanges[UInt16(Simulation.firstPort + number)]
            guard let message = exchange?.answer, message.rcode == 0 else {
                report("client \(Simulation.firstPort + number) was not answered in fair weather")
                continue
            }
        }
    }
}
