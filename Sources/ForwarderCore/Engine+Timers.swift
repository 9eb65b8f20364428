// What becomes due: attempts' and queries' deadlines, hedges, stale answers, idle limits, ages, silences, pauses that
// end.
//
// One timer a query, one a connection, one an upstream. A timer that fires finds out by itself what is due and sets
// itself anew; so a moved deadline costs nothing unless it moved nearer.

import DNSWire

extension Engine {
    /// Runs whatever is due at `now`. Call once a wakeup, after the events.
    public mutating func advance(to now: Instant, into out: inout ActionBuffer) {
        if !hasStarted {
            hasStarted = true
            for upstream in pools.indices {
                pools[upstream].loopProbeAt = now
                pools[upstream].probedAt = now
                upstreamDue(upstream, now: now, into: &out)
            }
        }
        inFlight.expire(now)
        dueTimers.removeAll(keepingCapacity: true)
        wheel.collectDue(now, into: &dueTimers)
        guard !dueTimers.isEmpty else { return }
        // `dueTimers` is not appended to while it is walked: timers set now are due in a later call.
        for position in dueTimers.indices {
            let id = TimerID(raw: dueTimers[position])
            switch id.kind {
            case .query: queryDue(id.slot, now: now, into: &out)
            case .connection: connectionDue(id.slot, now: now, into: &out)
            case .upstream: upstreamDue(id.slot, now: now, into: &out)
            case nil: break
            }
        }
        serveWaiting(now: now, into: &out)
    }

    /// Sets a query's timer to the nearest of its deadlines.
    mutating func armQuery(_ slot: Int) {
        var at = queries.slots[slot].deadline
        var attempt = queries.slots[slot].firstAttempt
        while attempt >= 0 {
            if !attempts.slots[Int(attempt)].isTimedOut { at = min(at, attempts.slots[Int(attempt)].timeoutAt) }
            attempt = attempts.slots[Int(attempt)].nextOfQuery
        }
        if let hedge = queries.slots[slot].hedgeAt { at = min(at, hedge) }
        if let stale = queries.slots[slot].staleAt { at = min(at, stale) }
        if let postponed = queries.slots[slot].postponedUntil { at = min(at, postponed) }
        if let held = queries.slots[slot].heldUntil { at = held }
        wheel.schedule(TimerID(.query, slot), at: at)
    }

    private mutating func queryDue(_ slot: Int, now: Instant, into out: inout ActionBuffer) {
        guard slot < queries.slots.count, queries.slots[slot].isOpen else { return }
        if let held = queries.slots[slot].heldUntil {
            return held <= now ? giveHeld(slot, now: now, into: &out) : armQuery(slot)
        }
        let generation = queries.slots[slot].generation
        if let stale = queries.slots[slot].staleAt, stale <= now { staleDue(slot, now: now, into: &out) }
        if now >= queries.slots[slot].deadline { noteUnanswered(slot, now: now, into: &out) }
        if let hedge = queries.slots[slot].hedgeAt, hedge <= now, now < queries.slots[slot].deadline {
            self.hedge(slot, now: now, into: &out)
        }
        guard queries.slots[slot].isOpen, queries.slots[slot].generation == generation else { return }
        var attempt = queries.slots[slot].firstAttempt
        while attempt >= 0, now < queries.slots[slot].deadline {
            let following = attempts.slots[Int(attempt)].nextOfQuery
            if !attempts.slots[Int(attempt)].isTimedOut && attempts.slots[Int(attempt)].timeoutAt <= now {
                attemptDue(attempt, now: now, into: &out)
                // One at a time: what follows may have changed the list, the timer fires again at once if need be.
                break
            }
            attempt = following
        }
        guard queries.slots[slot].isOpen, queries.slots[slot].generation == generation else { return }
        continueQuery(slot, now: now, into: &out)
    }

    /// The deadline came while an attempt was out: that upstream did not answer.
    private mutating func noteUnanswered(_ slot: Int, now: Instant, into out: inout ActionBuffer) {
        var attempt = queries.slots[slot].firstAttempt
        while attempt >= 0 {
            let index = Int(attempt)
            let isOwed = attempts.slots[index].state == .sent && !attempts.slots[index].wasUnsent
            if isOwed && !attempts.slots[index].isTimedOut {
                timedOut(attempt, now: now, into: &out)
            }
            attempt = attempts.slots[index].nextOfQuery
        }
    }

    private mutating func attemptDue(_ attempt: Int32, now: Instant, into out: inout ActionBuffer) {
        switch attempts.slots[Int(attempt)].state {
        case .gone: break
        case .waiting: waitingFailed(attempt, now: now, into: &out)
        case .assigned: connectingTooLong(attempt, now: now, into: &out)
        case .sent:
            if attempts.slots[Int(attempt)].wasUnsent {
                askAgain(attempt, attempts.slots[Int(attempt)].needs, at: .local, now: now, into: &out)
            } else {
                timedOut(attempt, now: now, into: &out)
            }
        }
    }

    /// Half of the query's life is over and its stream still connects.
    private mutating func connectingTooLong(_ attempt: Int32, now: Instant, into out: inout ActionBuffer) {
        let index = Int(attempt)
        let upstream = attempts.slots[index].upstream
        let openedAt = connections.slots[Int(attempts.slots[index].connection.slot)].openedAt
        // Where connect_timeout is over too, the stream's own end tells it.
        if now < openedAt + pools[upstream].settings.pool.connectTimeout {
            let query = Int(attempts.slots[index].query)
            let (nameHash, purpose) = (queries.slots[query].question.nameHash, queries.slots[query].purpose)
            noteFailure(upstream, nameHash: nameHash, for: purpose, now, into: &out)
        }
        attemptFailed(attempt, .path, "connecting took too long", now: now, into: &out)
    }

    /// A sending went unanswered. It stays in flight, for its answer may still come; the query goes on elsewhere.
    private mutating func timedOut(_ attempt: Int32, now: Instant, into out: inout ActionBuffer) {
        let index = Int(attempt)
        let upstream = attempts.slots[index].upstream
        let network = attempts.slots[index].network
        let slot = Int(attempts.slots[index].connection.slot)
        let query = Int(attempts.slots[index].query)
        attempts.slots[index].isTimedOut = true
        note(upstream, network) {
            $0.timeouts += 1
            $0.failures[Fault.path.rawIndex] += 1
        }
        let waited = now - attempts.slots[index].sentAt
        if network == .udp { pools[upstream].udpLatency.noteTimeout(after: waited) }
        if network.isStream { pools[upstream].tcpLatency.noteTimeout(after: waited) }
        strategies[attempts.slots[index].group].failed(attempts.slots[index].member, after: waited, now: now)
        queries.slots[query].failure = QueryFailure()
        // Whoever answered something asked later is alive: this datagram was lost, or its name is slow.
        let sentAt = attempts.slots[index].sentAt
        if pools[upstream].answeredAt < sentAt {
            let (nameHash, purpose) = (queries.slots[query].question.nameHash, queries.slots[query].purpose)
            noteFailure(upstream, nameHash: nameHash, for: purpose, now, into: &out)
        }
        if let received = connections.slots[slot].receivedAt, received >= sentAt { return }
        connections.slots[slot].timeoutsInRow += 1
        guard connections.slots[slot].timeoutsInRow >= UpstreamPool.timeoutsToQuarantine else { return }
        if network == .udp {
            // A socket bound to an address that we no longer have never hears anything: replace it.
            replace(slot, .error, atMost: pools[upstream].drainingLimit, now: now, into: &out)
        } else if connections.slots[slot].state == .ready {
            connections.slots[slot].state = .quarantined
        }
    }

    /// Sets a connection's timer, or moves it nearer.
    mutating func armConnection(_ slot: Int, _ now: Instant) {
        let at = connectionDeadline(slot)
        let id = TimerID(.connection, slot)
        if let set = wheel.deadline(of: id), set <= at { return }
        wheel.schedule(id, at: at)
    }

    private func connectionDeadline(_ slot: Int) -> Instant {
        let upstream = connections.slots[slot].upstream
        let agesAt = connections.slots[slot].agesAt
        if connections.slots[slot].network == .udp { return agesAt }
        if connections.slots[slot].state == .connecting {
            let races = !connections.slots[slot].isRaced && pools[upstream].endpoints.count > 1
            let timeout = pools[upstream].settings.pool.connectTimeout
            return connections.slots[slot].openedAt + (races ? min(Engine.raceDelay, timeout) : timeout)
        }
        if let since = connections.slots[slot].silentSince {
            let probes = connections.slots[slot].network == .https && !connections.slots[slot].isProbed
            return since + (probes ? UpstreamPool.quarantineAfter : UpstreamPool.silenceLimit)
        }
        guard connections.slots[slot].inFlight == 0 else { return agesAt }
        return min(agesAt, connections.slots[slot].usedAt + pools[upstream].idleLimit(connections.slots[slot]))
    }

    private mutating func connectionDue(_ slot: Int, now: Instant, into out: inout ActionBuffer) {
        guard slot < connections.slots.count, connections.slots[slot].state != .free else { return }
        if connections.slots[slot].network == .udp {
            retireIfSpent(slot, now: now, into: &out)
        } else {
            streamDue(slot, now: now, into: &out)
        }
        guard connections.slots[slot].state != .free else { return }
        // What is overdue and could not be done (a busy socket past its age) is looked at again in a second.
        let at = connectionDeadline(slot)
        wheel.schedule(TimerID(.connection, slot), at: at > now ? at : now + .seconds(1))
    }

    private mutating func streamDue(_ slot: Int, now: Instant, into out: inout ActionBuffer) {
        let stream = connections.slots[slot]
        let id = connections.id(slot)
        switch stream.state {
        case .free: return
        case .connecting:
            guard now >= stream.openedAt + pools[stream.upstream].settings.pool.connectTimeout else {
                return race(slot, now: now, into: &out)
            }
            out.upstream.append(.close(id))
            connectionLost(id, .timedOut, now: now, into: &out)
        case .ready, .quarantined, .draining:
            if let since = stream.silentSince, now >= since + UpstreamPool.silenceLimit {
                out.upstream.append(.close(id))
                return connectionLost(id, .timedOut, now: now, into: &out)
            }
            if let since = stream.silentSince, stream.network == .https, !stream.isProbed,
                now >= since + UpstreamPool.quarantineAfter
            {
                // A PING only to test a silence: an idle connection costs nobody anything.
                connections.slots[slot].isProbed = true
                out.upstream.append(.probe(id))
            }
            if now >= stream.agesAt { return drain(slot, .age, now: now, into: &out) }
            let isIdle = stream.inFlight == 0 && stream.silentSince == nil
            guard isIdle, now >= stream.usedAt + pools[stream.upstream].idleLimit(stream) else { return }
            let kept = pools[stream.upstream].settings.pool.minConnections
            if pools[stream.upstream].streams.count > kept { close(slot, .idle, now: now, into: &out) }
        }
    }

    /// Sets an upstream's timer, or moves it nearer: several pauses share it.
    mutating func wakeUpstream(_ upstream: Int, at instant: Instant) {
        let id = TimerID(.upstream, upstream)
        if let set = wheel.deadline(of: id), set <= instant { return }
        wheel.schedule(id, at: instant)
    }

    /// A pause may be over. While queries wait, the next end of one is looked at too.
    private mutating func upstreamDue(_ upstream: Int, now: Instant, into out: inout ActionBuffer) {
        resolutionDue(upstream, now: now, into: &out)
        prewarm(upstream, now: now, into: &out)
        loopProbeDue(upstream, now: now, into: &out)
        probeDue(upstream, now: now, into: &out)
        guard pools[upstream].waitingCount > 0 else { return }
        if now < pools[upstream].blockedUntil { wakeUpstream(upstream, at: pools[upstream].blockedUntil) }
        if now < pools[upstream].connectBlockedUntil { wakeUpstream(upstream, at: pools[upstream].connectBlockedUntil) }
    }

    /// Opens the streams that are to stand ready: `prewarm` at the start, `min_connections` always.
    mutating func prewarm(_ upstream: Int, now: Instant, into out: inout ActionBuffer) {
        guard pools[upstream].wantsPrewarm, !isStopping else { return }
        let pool = pools[upstream].settings.pool
        let wanted = min(max(pool.minConnections, pools[upstream].isFresh ? pool.prewarm : 0), pools[upstream].ceiling)
        while pools[upstream].streams.count < wanted, pools[upstream].hasRoom {
            let pausedUntil = max(
                pools[upstream].connectBlockedUntil, pools[upstream].blockedUntil, pools[upstream].prewarmBlockedUntil)
            if now < pausedUntil {
                return wakeUpstream(upstream, at: pausedUntil)
            }
            guard open(upstream, pools[upstream].streamTransport, .prewarm, now: now, into: &out) != nil else { return }
        }
        pools[upstream].wantsPrewarm = false
        pools[upstream].isFresh = false
    }
}
