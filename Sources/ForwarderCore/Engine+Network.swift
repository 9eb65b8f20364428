// The network around the machine: it changed, it came back, the machine slept; and servers that come and go.

import DNSWire

extension Engine {
    /// Routes, addresses or links changed, or the machine has slept: what was learned of failures is forgotten, streams
    /// are replaced, what waits for an answer is asked again. Connections whose local address is gone have been told as
    /// lost (`addressGone`) before.
    public mutating func networkChanged(now: Instant, into out: inout ActionBuffer) {
        counters.networkChanges += 1
        out.events.append(.networkChanged)
        isOutage = false
        for group in refreshBlockedUntil.indices { refreshBlockedUntil[group] = Instant(nanoseconds: 0) }
        for group in strategies.indices { strategies[group].forget() }
        cache.forgetFailures(now: now)
        for upstream in pools.indices { startAnew(upstream, now: now, into: &out) }
        askAgainAll(now: now, into: &out)
        serveWaiting(now: now, into: &out)
    }

    /// Another machine may stand behind the same address now (every home has a 192.168.1.1): nothing is known of it.
    private mutating func startAnew(_ upstream: Int, now: Instant, into out: inout ActionBuffer) {
        pools[upstream].blockedUntil = Instant(nanoseconds: 0)
        pools[upstream].connectFailures = 0
        pools[upstream].hasLostCase = false
        pools[upstream].refusesEDNSUntil = Instant(nanoseconds: 0)
        pools[upstream].serverCookieLength = 0
        // A server must not know us again in another network by our cookie (RFC 9018 3). What is under way still needs
        // the old one.
        if pools[upstream].inFlight == 0 {
            for octet in 0..<8 { cookies[upstream * 64 + octet] = UInt8(truncatingIfNeeded: random.next32()) }
        }
        pools[upstream].learnedIdle = nil
        pools[upstream].seenIdle = nil
        pools[upstream].learnedQueries = nil
        pools[upstream].seenAnswers = nil
        pools[upstream].knownCapacity = nil
        pools[upstream].pipelineLimit = max(1, pools[upstream].settings.pool.maxInflight)
        pools[upstream].loopProbeAt = now
        if pools[upstream].resolution != nil { pools[upstream].resolution?.expire(now) }
        pools[upstream].isFresh = true
        pools[upstream].wantsPrewarm = pools[upstream].prewarms
        replaceStreams(upstream, now: now, into: &out)
        forgive(upstream, isNewNetwork: true, now: now, into: &out)
    }

    /// An idle stream costs one handshake to replace, a dead one costs a client its patience. What owes an answer may
    /// be stuck in the kernel's retransmissions for many seconds: its queries go out again on a fresh one.
    private mutating func replaceStreams(_ upstream: Int, now: Instant, into out: inout ActionBuffer) {
        // Draining ones too: they would keep the places that new ones need.
        let streams = connections.slots.indices.filter {
            connections.slots[$0].state != .free && connections.slots[$0].upstream == upstream
                && connections.slots[$0].network.isStream
        }
        for id in streams.map({ connections.id($0) }) where connections.isOpen(id) {
            let slot = Int(id.slot)
            if connections.slots[slot].state != .connecting && connections.slots[slot].inFlight == 0 {
                close(slot, .network, now: now, into: &out)
            } else {
                out.upstream.append(.close(id))
                connectionLost(id, .addressGone, now: now, into: &out)
            }
        }
    }

    /// What was sent before is as good as lost; its answer is still taken if it comes. The budget of extra queries
    /// bounds what this costs an upstream.
    private mutating func askAgainAll(now: Instant, into out: inout ActionBuffer) {
        for slot in queries.slots.indices
        where queries.slots[slot].isOpen && queries.slots[slot].heldUntil == nil && hasSilentAttempt(slot, now) {
            var attempt = queries.slots[slot].firstAttempt
            while attempt >= 0 {
                if attempts.slots[Int(attempt)].state == .sent { attempts.slots[Int(attempt)].isTimedOut = true }
                attempt = attempts.slots[Int(attempt)].nextOfQuery
            }
            queries.slots[slot].sends = 0
            queries.slots[slot].tried = 0
            queries.slots[slot].exhausted = 0
            continueQuery(slot, now: now, into: &out)
        }
    }

    /// Whether something was sent a while ago and nothing newer is under way.
    private func hasSilentAttempt(_ slot: Int, _ now: Instant) -> Bool {
        var attempt = queries.slots[slot].firstAttempt
        var isSilent = false
        while attempt >= 0 {
            let entry = attempts.slots[Int(attempt)]
            if entry.state != .sent || now - entry.sentAt < .milliseconds(50) { return false }
            isSilent = true
            attempt = entry.nextOfQuery
        }
        return isSilent
    }

    /// The addresses of an upstream that is one of the machine's own servers; none = there is no such server now.
    /// Connections to other addresses are drained.
    public mutating func setServers(
        _ endpoints: [Endpoint], of upstream: Int, now: Instant, into out: inout ActionBuffer
    ) {
        guard pools.indices.contains(upstream), pools[upstream].settings.isSystem,
            pools[upstream].endpoints != endpoints
        else { return }
        let known = pools[upstream].endpoints
        pools[upstream].endpoints = endpoints
        pools[upstream].preferred = 0
        for group in settings.groups.indices where settings.groups[group].members.contains(upstream) {
            let servers = settings.groups[group].members.filter { pools[$0].settings.isSystem }
            groupEpochs[group] = Engine.epoch(servers.flatMap { pools[$0].endpoints }, seed: cache.seed)
        }
        let slots = pools[upstream].datagrams + pools[upstream].streams
        for id in slots.map({ connections.id($0) }) where connections.isOpen(id) {
            let slot = Int(id.slot)
            let address = connections.slots[slot].address
            let stays = known.indices.contains(address) && endpoints.contains(known[address])
            if stays { continue }
            if connections.slots[slot].state == .connecting {
                out.upstream.append(.close(id))
                connectionLost(id, .addressGone, now: now, into: &out)
            } else {
                drain(slot, .network, now: now, into: &out)
            }
        }
        pools[upstream].udp.address = endpoints.first ?? pools[upstream].udp.address
        pools[upstream].tcp.address = endpoints.first ?? pools[upstream].tcp.address
        pools[upstream].udpLatency = LatencyEstimate()
        pools[upstream].tcpLatency = LatencyEstimate()
        pools[upstream].health.isLooping = false
        startAnew(upstream, now: now, into: &out)
        serveWaiting(now: now, into: &out)
    }
}
