// What happens to the machine, its network and its upstreams as a whole.

import ForwarderCore

extension Simulation {
    func happen(_ what: Happening) {
        tell("\(what)")
        switch what {
        case .restart(let upstream): loseConnections(of: upstream, .reset) { $0.transport.isStream }
        case .networkChange(let losesConnections):
            epoch += 1
            if losesConnections { loseConnections(of: nil, .addressGone) { _ in true } }
            muteStreams()
            world.changeNetwork()
        case .suspend(let length): sleep(length)
        case .outage(let begins, let isTold): outage(begins, isTold)
        case .openFailure(let failure):
            if !hasOutage { world.openFailure = failure }
        case .servers(let upstream, let servers):
            // What the servers of another network say is another question's answer: nothing of before is joined.
            ledger.noteNewNetwork(now: world.now)
            world.setServers(servers, of: upstream)
        case .fairWeather:
            isFair = true
            // Whatever the network still had to give back comes back now, and we are told.
            if hasOutage { outage(false, true) }
            world.openFailure = nil
            guard plan.endsElsewhere else { return clearStreams() }
            epoch += 1
            muteStreams()
            loseConnections(of: nil, .addressGone) { $0.transport == .udp }
            world.changeNetwork()
        case .stop:
            isStopped = true
            world.stop()
        }
    }

    /// Another network: no stream that was opened on the old one works. Sockets whose address is not the one to use are
    /// closed by the runtime, but the state that a peer or a router has lost of a stream nobody sees.
    private func muteStreams() {
        for id in sortedConnections() where world.connections[id]?.transport.isStream == true {
            world.connections[id]?.isMute = true
        }
    }

    private func outage(_ begins: Bool, _ isTold: Bool) {
        hasOutage = begins
        epoch += 1
        world.openFailure = begins ? .networkUnreachable : nil
        if isTold { world.changeNetwork() }
    }

    /// The machine sleeps: nothing that was under way arrives, most peers forget us.
    private func sleep(_ length: Interval) {
        world.settle()
        let from = world.now
        epoch += 1
        slept = slept + length
        for id in sortedConnections() where chance.chance(60) { world.connections[id]?.isForgotten = true }
        sleeps.append((from, from + length))
        world.setClock(from + length)
        // Which of the two the runtime notices first is chance.
        if chance.chance(50) { world.jump(to: world.now) }
        world.changeNetwork()
    }

    func sortedConnections() -> [ConnectionID] { world.connections.keys.sorted { $0.raw < $1.raw } }

    private func loseConnections(
        of upstream: Int?, _ failure: TransportFailure, where matches: (OpenConnection) -> Bool
    ) {
        for id in sortedConnections() {
            guard let open = world.connections[id], upstream == nil || open.upstream == upstream, matches(open) else {
                continue
            }
            world.lose(id, failure)
        }
    }

    /// The plan in words.
    func tellPlan() {
        let settings = plan.settings
        let group = settings.groups.first
        tell(
            "strategy \(group?.strategy ?? .random), \(group?.attempts ?? 0) attempts, deadline "
                + "\(settings.queryDeadline.inMilliseconds) ms, cache \(settings.cache.size), "
                + "stale \(settings.cache.stale), "
                + "hedge \(group?.hedge ?? .off), probes \(settings.health.mode), coalesce \(settings.coalesce), "
                + "max_inflight \(settings.maxInflight), batches \(plan.batches)")
        for (index, upstream) in settings.upstreams.enumerated() {
            tell(
                "upstream \(index): \(upstream.transport.word), \(upstream.endpoints.count) addresses, "
                    + "max_connections \(upstream.pool.maxConnections), \(plan.traits[index])")
            tell("upstream \(index): \(plan.characters[index])")
        }
        for phase in plan.phases {
            let from = (phase.from - world.start).inMilliseconds
            tell(
                "\(from) to \((phase.to - world.start).inMilliseconds) ms upstream "
                    + "\(phase.upstream.map { "\($0)" } ?? "all"): \(phase.kind)")
        }
    }
}
