// Opening, draining and closing pooled connections, and making room under one ceiling for both transports.

import DNSWire

extension Engine {
    /// Opens a connection; its slot, or nil when no slot is free.
    mutating func open(
        _ upstream: Int, _ network: UpstreamTransport, _ reason: OpenReason, now: Instant, into out: inout ActionBuffer
    ) -> Int? {
        let state: ConnectionState = network == .udp ? .ready : .connecting
        guard let endpoint = pools[upstream].endpoint,
            let id = connections.open(state, upstream: upstream, network: network, now: now)
        else { return nil }
        let slot = Int(id.slot)
        let pool = pools[upstream].settings.pool
        if network == .udp {
            pools[upstream].datagrams.append(slot)
            // Between half and all of the count and of the age, so that nobody can tell when a port changes.
            let count = max(1, pool.udpMaxQueries)
            connections.slots[slot].queryLimit = count - random.below(count / 2 + 1)
            connections.slots[slot].agesAt = now + jittered(pool.udpMaxAge, down: 50)
            out.upstream.append(.openDatagram(id, upstream: upstream, endpoint))
        } else {
            pools[upstream].streams.append(slot)
            let learned = pools[upstream].learnedQueries ?? 0
            connections.slots[slot].queryLimit =
                pool.maxQueries > 0 && learned > 0 ? min(pool.maxQueries, learned) : max(pool.maxQueries, learned)
            // Until it says otherwise itself.
            if let known = pools[upstream].knownCapacity { connections.slots[slot].capacity = max(1, known) }
            let unlimited = pool.maxAge <= .zero
            connections.slots[slot].agesAt = now + (unlimited ? .seconds(1 << 32) : jittered(pool.maxAge, down: 20))
            out.upstream.append(.openStream(id, upstream: upstream, endpoint))
        }
        connections.slots[slot].openReason = reason
        connections.slots[slot].address = pools[upstream].preferred
        if network.isEncrypted { noteHandshake(upstream, now) }
        let open =
            network == .udp
            ? pools[upstream].datagrams.count + pools[upstream].drainingDatagrams
            : pools[upstream].streams.count + pools[upstream].drainingStreams
        note(upstream, network) {
            $0.opened[reason.rawValue] += 1
            $0.peak = max($0.peak, open)
        }
        out.events.append(
            .opened(
                upstream: upstream, network: network, reason: reason, open: pools[upstream].openCount,
                ceiling: pools[upstream].ceiling))
        armConnection(slot, now)
        return slot
    }

    private mutating func jittered(_ interval: Interval, down percent: Int64) -> Interval {
        let range = interval.nanoseconds / 100 * percent
        let cut = Int64(truncatingIfNeeded: random.next32()) * (range >> 16) >> 16
        return Interval(nanoseconds: interval.nanoseconds - cut)
    }

    /// A stream that `openStream` asked for is connected.
    public mutating func connectionOpened(_ connection: ConnectionID, now: Instant, into out: inout ActionBuffer) {
        guard connections.isOpen(connection) else { return }
        let slot = Int(connection.slot)
        guard connections.slots[slot].state == .connecting else { return }
        let upstream = connections.slots[slot].upstream
        connections.slots[slot].state = .ready
        connections.slots[slot].usedAt = now
        pools[upstream].connectFailures = 0
        pools[upstream].preferred = connections.slots[slot].address
        pools[upstream].connectPause = .zero
        pools[upstream].connectBlockedUntil = Instant(nanoseconds: 0)
        var attempt = connections.slots[slot].firstAttempt
        while attempt >= 0 {
            let following = attempts.slots[Int(attempt)].nextOnConnection
            if attempts.slots[Int(attempt)].state == .assigned {
                let query = Int(attempts.slots[Int(attempt)].query)
                transmit(attempt, now: now, into: &out)
                if queries.slots[query].isOpen { armQuery(query) }
            }
            attempt = following
        }
        armConnection(slot, now)
        endRace(slot, now: now, into: &out)
        serveWaiting(now: now, into: &out)
    }

    /// No new query on it; closed when nothing is in flight any more.
    mutating func drain(_ slot: Int, _ reason: CloseReason, now: Instant, into out: inout ActionBuffer) {
        guard connections.slots[slot].state == .ready || connections.slots[slot].state == .quarantined else { return }
        if connections.slots[slot].inFlight == 0 { return close(slot, reason, now: now, into: &out) }
        let upstream = connections.slots[slot].upstream
        connections.slots[slot].state = .draining
        connections.slots[slot].drainReason = reason
        if connections.slots[slot].network == .udp {
            pools[upstream].datagrams.removeAll { $0 == slot }
            pools[upstream].drainingDatagrams += 1
        } else {
            pools[upstream].streams.removeAll { $0 == slot }
            pools[upstream].drainingStreams += 1
        }
    }

    /// A UDP socket past its count or age is replaced, a few at a time; at the ceiling it may have to go on.
    mutating func retireIfSpent(_ slot: Int, now: Instant, into out: inout ActionBuffer) {
        let connection = connections.slots[slot]
        guard connection.state == .ready else { return }
        let isCounted = connection.queries >= connection.queryLimit
        guard isCounted || now >= connection.agesAt else { return }
        let reason = connection.isSuspect ? CloseReason.suspect : isCounted ? .queries : .age
        replace(slot, reason, atMost: pools[connection.upstream].drainingLimit, now: now, into: &out)
    }

    /// Drains a UDP socket so that another takes its place. Where too many drain already, or it is the last under a
    /// full ceiling, it goes on and is replaced as soon as that changes.
    mutating func replace(
        _ slot: Int, _ reason: CloseReason, atMost limit: Int, now: Instant, into out: inout ActionBuffer
    ) {
        let upstream = connections.slots[slot].upstream
        let isLast = pools[upstream].datagrams.count == 1 && !pools[upstream].hasRoom
        if connections.slots[slot].inFlight == 0 || (pools[upstream].drainingDatagrams < limit && !isLast) {
            return drain(slot, reason, now: now, into: &out)
        }
        connections.slots[slot].isSuspect = reason == .suspect
        connections.slots[slot].agesAt = min(connections.slots[slot].agesAt, now)
    }

    /// Closes a connection that carries nothing any more.
    mutating func close(_ slot: Int, _ reason: CloseReason, now: Instant, into out: inout ActionBuffer) {
        out.upstream.append(.close(connections.id(slot)))
        forget(slot, reason, into: &out)
        let upstream = connections.slots[slot].upstream
        if reason == .idle { noteOwnIdleClose(upstream) }
        if reason == .queries && connections.slots[slot].network.isStream { noteOwnQueryClose(upstream) }
        if pools[upstream].wantsPrewarm { wakeUpstream(upstream, at: now) }
    }

    /// Takes a closed connection out of its pool.
    mutating func forget(_ slot: Int, _ reason: CloseReason, into out: inout ActionBuffer) {
        let upstream = connections.slots[slot].upstream
        let network = connections.slots[slot].network
        if connections.slots[slot].state == .draining {
            if network == .udp { pools[upstream].drainingDatagrams -= 1 } else { pools[upstream].drainingStreams -= 1 }
        } else if network == .udp {
            pools[upstream].datagrams.removeAll { $0 == slot }
        } else {
            pools[upstream].streams.removeAll { $0 == slot }
        }
        wheel.cancel(TimerID(.connection, slot))
        connections.close(connections.id(slot))
        note(upstream, network) { $0.closed[reason.rawValue] += 1 }
        out.events.append(
            .closed(
                upstream: upstream, network: network, reason: reason, open: pools[upstream].openCount,
                ceiling: pools[upstream].ceiling))
        if network.isStream && pools[upstream].streams.count < pools[upstream].settings.pool.minConnections {
            pools[upstream].wantsPrewarm = true
        }
    }

    /// At the ceiling, and the other transport (or a stale stream) holds a place that it does not need.
    mutating func makeRoom(
        _ upstream: Int, for network: UpstreamTransport, now: Instant, into out: inout ActionBuffer
    ) -> Bool {
        guard !pools[upstream].hasRoom, now >= pools[upstream].blockedUntil else { return false }
        // While connecting is paused a stream could not use the place.
        if network.isStream && now < pools[upstream].connectBlockedUntil { return false }
        var oldest = -1
        for slot in pools[upstream].streams
        where connections.slots[slot].inFlight == 0 && connections.slots[slot].state != .connecting {
            if oldest < 0 || connections.slots[slot].usedAt < connections.slots[oldest].usedAt { oldest = slot }
        }
        if oldest >= 0 {
            close(oldest, .room, now: now, into: &out)
            return true
        }
        if network.isStream {
            for slot in pools[upstream].datagrams where connections.slots[slot].inFlight == 0 {
                close(slot, .room, now: now, into: &out)
                return true
            }
        }
        if let slot = givenUpConnection(upstream, for: network) {
            // Over TCP the round trip may not be known yet: a stream that is only slow must get its answer through.
            if let since = connections.slots[slot].silentSince, connections.slots[slot].network.isStream {
                let patience = since + pools[upstream].tcpLatency.timeout(attempt: 1)
                if now < patience {
                    wakeUpstream(upstream, at: patience)
                    return false
                }
            }
            giveUp(slot, now: now, into: &out)
            return true
        }
        guard network.isStream else { return false }
        // Every socket is busy: one is drained, and the stream opened when it is done.
        if pools[upstream].drainingDatagrams == 0, let busy = pools[upstream].datagrams.first {
            drain(busy, .room, now: now, into: &out)
        }
        return false
    }

    /// A connection that holds a place only for late answers: all its queries timed out and go on elsewhere. One name
    /// that is never answered must not keep the other transport out. A datagram does not take another's socket.
    private func givenUpConnection(_ upstream: Int, for network: UpstreamTransport) -> Int? {
        connections.slots.indices.first { slot in
            let connection = connections.slots[slot]
            guard connection.state != .free, connection.upstream == upstream, connection.inFlight > 0 else {
                return false
            }
            if network == .udp && connection.network == .udp && connection.state != .draining { return false }
            var attempt = connection.firstAttempt
            while attempt >= 0 {
                if !attempts.slots[Int(attempt)].isTimedOut { return false }
                attempt = attempts.slots[Int(attempt)].nextOnConnection
            }
            return true
        }
    }

    /// Closes such a connection. Its queries lose nothing but the chance of a late answer.
    private mutating func giveUp(_ slot: Int, now: Instant, into out: inout ActionBuffer) {
        let id = connections.id(slot)
        drain(slot, .room, now: now, into: &out)
        // The last one that is given back closes it; another may be opened in its slot then.
        while connections.isOpen(id), connections.slots[slot].state == .draining {
            let attempt = connections.slots[slot].firstAttempt
            if attempt < 0 { return }
            let query = Int(attempts.slots[Int(attempt)].query)
            release(attempt, now: now, into: &out)
            continueQuery(query, now: now, into: &out)
        }
    }

    /// Whether a place that falls free is a stream's: none is open, a query waits for one and it may be opened. Else a
    /// datagram, which needs no queueing to come first, would take every place under a small ceiling.
    mutating func isStreamsTurn(_ upstream: Int, _ now: Instant) -> Bool {
        guard pools[upstream].isDatagram, pools[upstream].waitingCount > 0, pools[upstream].streams.isEmpty,
            now >= pools[upstream].connectBlockedUntil
        else { return false }
        while let first = pools[upstream].streamQueue.first {
            if let attempt = attempts.find(first), attempts.slots[Int(attempt)].state == .waiting { return true }
            _ = pools[upstream].streamQueue.popFirst()
        }
        return false
    }

    /// Gives freed places to those who wait, oldest first, all pools. Bounded by the queues' own bound.
    mutating func serveWaiting(now: Instant, into out: inout ActionBuffer) {
        for upstream in pools.indices where pools[upstream].waitingCount > 0 {
            serveQueue(upstream, pools[upstream].streamTransport, now: now, into: &out)
            serveQueue(upstream, .udp, now: now, into: &out)
        }
    }

    private mutating func serveQueue(
        _ upstream: Int, _ network: UpstreamTransport, now: Instant, into out: inout ActionBuffer
    ) {
        while pools[upstream].waitingCount > 0 {
            let first = network == .udp ? pools[upstream].datagramQueue.first : pools[upstream].streamQueue.first
            guard let first else { return }
            if let attempt = attempts.find(first), attempts.slots[Int(attempt)].state == .waiting {
                let query = Int(attempts.slots[Int(attempt)].query)
                attempts.slots[Int(attempt)].isQueued = false
                pools[upstream].waitingCount -= 1
                if !submit(attempt, now: now, into: &out) {
                    // Still no place: it keeps its turn.
                    if attempts.find(first) != nil, attempts.slots[Int(attempt)].state == .waiting {
                        attempts.slots[Int(attempt)].isQueued = true
                        pools[upstream].waitingCount += 1
                    }
                    return
                }
                if queries.slots[query].isOpen { armQuery(query) }
            }
            // `submit` may have taken dead entries off the front.
            if network == .udp {
                if pools[upstream].datagramQueue.first == first { _ = pools[upstream].datagramQueue.popFirst() }
            } else if pools[upstream].streamQueue.first == first {
                _ = pools[upstream].streamQueue.popFirst()
            }
        }
    }
}
