// What is noted of upstreams as queries go by, the probes that ask whether one is back, and outages of everything.
//
// A failure is counted once for each name; losers of hedges count too, else a dead member would never be found out
// while the others answer first. When all upstreams are down the fault is most likely ours: nobody is penalised.

import DNSWire

extension Engine {
    /// Cached failures are forgotten for the return of one upstream no more often than this.
    static let pardonPause = Interval.seconds(10)
    /// Upstreams that went down so long before the last one did are no part of the same outage.
    static let outageSpan = Interval.seconds(30)

    /// Something that only the upstream can have sent came in: it is alive.
    mutating func noteHeard(_ upstream: Int, now: Instant, into out: inout ActionBuffer) {
        pools[upstream].answeredAt = now
        pools[upstream].owedSince = pools[upstream].inFlight > 1 ? now : nil
        hasHeard = true
        let isBack = pools[upstream].health.noteAnswer()
        // The proof of a loop is our own answer.
        let isEnd = isOutage && isClientUpstream(upstream) && !pools[upstream].health.isLooping
        if isEnd { endOutage(now: now, into: &out) }
        guard isBack else { return }
        out.events.append(.up(upstream: upstream))
        // What failed because of it is worth asking again; not each time for one that comes and goes.
        guard now >= pardonableAt else { return }
        pardonableAt = now + Engine.pardonPause
        cache.forgetFailures(now: now)
    }

    /// A failure that is the upstream's or the path's, counted once for each name.
    mutating func noteFailure(
        _ upstream: Int, nameHash: UInt64, for purpose: QueryPurpose = .clients, _ now: Instant,
        into out: inout ActionBuffer
    ) {
        // Many routers swallow a name and type like the loop probe's: that says nothing of other questions.
        if case .loop = purpose { return }
        let wentDown = pools[upstream].health.noteFailure(nameHash: nameHash, now)
        if pools[upstream].health.isDown { scheduleProbe(upstream) }
        guard wentDown else { return }
        pools[upstream].dispatch.downs += 1
        out.events.append(.down(upstream: upstream))
        // Another of its addresses may do better.
        pools[upstream].preferred = (pools[upstream].preferred + 1) % max(1, pools[upstream].endpoints.count)
        // Forgiven for a new address, and as silent as the others.
        if isOutage { pools[upstream].health.beginOutage(now) }
        beginOutageIfAllAreDown(now, into: &out)
    }

    /// Another member's answer came first: those still out are mildly noted. One that has said nothing at all for
    /// longer than a query may take has failed.
    mutating func noteLosers(_ slot: Int, now: Instant, into out: inout ActionBuffer) {
        var attempt = queries.slots[slot].firstAttempt
        while attempt >= 0 {
            let loser = attempts.slots[Int(attempt)]
            if loser.state == .sent && !loser.isAnswered && !loser.isTimedOut && !loser.wasUnsent {
                noteLoser(loser, nameHash: queries.slots[slot].question.nameHash, now: now, into: &out)
            }
            attempt = loser.nextOfQuery
        }
    }

    private mutating func noteLoser(
        _ loser: Attempt, nameHash: UInt64, now: Instant, into out: inout ActionBuffer
    ) {
        let upstream = loser.upstream
        let waited = now - loser.sentAt
        if loser.network == .udp {
            pools[upstream].udpLatency.noteCancelled(after: waited)
        } else {
            pools[upstream].tcpLatency.noteCancelled(after: waited)
        }
        strategies[loser.group].cancelled(loser.member, after: waited, now: now)
        guard let since = pools[upstream].owedSince else { return }
        let patience =
            loser.network == .udp
            ? pools[upstream].udpLatency.timeout(attempt: 0) : pools[upstream].tcpLatency.timeout(attempt: 0)
        if now - since >= patience { noteFailure(upstream, nameHash: nameHash, now, into: &out) }
    }

    // MARK: - Outages

    private func isClientUpstream(_ upstream: Int) -> Bool { clientUpstreams.contains(upstream) }

    /// When everything fails together it is the network, or this machine.
    private mutating func beginOutageIfAllAreDown(_ now: Instant, into out: inout ActionBuffer) {
        guard !isOutage else { return }
        for upstream in clientUpstreams where !pools[upstream].endpoints.isEmpty {
            if !pools[upstream].health.isDown && !pools[upstream].health.isLooping { return }
        }
        isOutage = true
        outageBeganAt = now
        counters.outages += 1
        if clientUpstreams.count > 1 { out.events.append(.outage(hasBegun: true)) }
        for upstream in clientUpstreams {
            pools[upstream].health.beginOutage(now)
            scheduleProbe(upstream)
        }
    }

    /// One answered: those that failed together failed for the same reason, which is over.
    private mutating func endOutage(now: Instant, into out: inout ActionBuffer) {
        isOutage = false
        if clientUpstreams.count > 1 { out.events.append(.outage(hasBegun: false)) }
        for upstream in clientUpstreams {
            if outageBeganAt - pools[upstream].health.downAt <= Engine.outageSpan {
                forgive(upstream, isNewNetwork: false, now: now, into: &out)
            } else {
                pools[upstream].health.endOutage(now)
                scheduleProbe(upstream)
            }
        }
        cache.forgetFailures(now: now)
    }

    /// Nothing is held against an upstream any more.
    mutating func forgive(_ upstream: Int, isNewNetwork: Bool, now: Instant, into out: inout ActionBuffer) {
        if pools[upstream].health.forgive(isNewNetwork: isNewNetwork) { out.events.append(.up(upstream: upstream)) }
        pools[upstream].connectPause = .zero
        pools[upstream].connectBlockedUntil = Instant(nanoseconds: 0)
        pools[upstream].prewarmBlockedUntil = Instant(nanoseconds: 0)
        pools[upstream].owedSince = nil
        wakeUpstream(upstream, at: now)
    }

    // MARK: - Probes

    /// Sets the upstream's timer to its next probe, of health or for a loop.
    mutating func scheduleProbe(_ upstream: Int) {
        if let due = pools[upstream].loopProbeAt, settings.detectsLoops { wakeUpstream(upstream, at: due) }
        let due = pools[upstream].health.probeDue(
            heardAt: pools[upstream].answeredAt, probedAt: pools[upstream].probedAt)
        if let due { wakeUpstream(upstream, at: due) }
    }

    /// Sends the probe that is due, over the pooled connections, as any query goes.
    mutating func probeDue(_ upstream: Int, now: Instant, into out: inout ActionBuffer) {
        guard !isStopping, isClientUpstream(upstream), !pools[upstream].endpoints.isEmpty else { return }
        let due = pools[upstream].health.probeDue(
            heardAt: pools[upstream].answeredAt, probedAt: pools[upstream].probedAt)
        guard let due else { return }
        guard due <= now else { return wakeUpstream(upstream, at: due) }
        let name = settings.health.queryName
        pools[upstream].probedAt = now
        let type = RecordType(rawValue: settings.health.queryType)
        if sendProbe(.probe(upstream: upstream), to: upstream, name, type, now: now, into: &out) {
            pools[upstream].dispatch.probes += 1
        } else {
            // The table is full: no moment for more queries.
            wakeUpstream(upstream, at: now + .seconds(1))
        }
    }

    /// Sends a question of our own to one upstream. False when the table is full.
    mutating func sendProbe(
        _ purpose: QueryPurpose, to upstream: Int, _ name: [UInt8], _ type: RecordType, now: Instant,
        into out: inout ActionBuffer
    ) -> Bool {
        guard !queries.isFull else { return false }
        for (offset, octet) in name.prefix(255).enumerated() { nameScratch[offset] = octet }
        let question = Question(
            nameLength: min(name.count, 255), labelCount: 1, type: type, recordClass: RecordClass.internet,
            dnssecOK: false, checkingDisabled: false, group: UInt16(clamping: firstProbeGroup + upstream),
            // Each probe is evidence of its own: a name that hash to the last one's would not count.
            nameHash: random.next64())
        guard let slot = openQuery(question, for: purpose, now: now, into: &out) else { return false }
        var life = settings.health.timeout
        if !pools[upstream].isDatagram { life = life + pools[upstream].settings.pool.connectTimeout }
        queries.slots[slot].deadline = now + life
        if case .probe = purpose { pools[upstream].health.isProbing = true }
        continueQuery(slot, now: now, into: &out)
        return true
    }

    /// A probe is over, whatever came of it.
    mutating func probeEnded(_ upstream: Int, _ purpose: QueryPurpose, _ now: Instant) {
        if case .probe = purpose { pools[upstream].health.endProbe(now) }
        scheduleProbe(upstream)
    }
}
