// Sending a question to a member: find a connection in its pool, write the query.

import DNSWire

extension Engine {
    /// Opens an attempt of the query at a member and looks for a connection.
    /// - Parameter group: where `member` is counted; the group that the query asks now, or asked before.
    mutating func beginAttempt(
        _ slot: Int, group: Int, member: Int, needs: AttemptNeeds, isHedge: Bool = false, now: Instant,
        into out: inout ActionBuffer
    ) {
        let attempt = attempts.open()
        let upstream = settings.groups[group].members[member]
        queries.slots[slot].postponedUntil = nil
        attempts.slots[Int(attempt)].state = .waiting
        attempts.slots[Int(attempt)].query = Int32(slot)
        attempts.slots[Int(attempt)].group = group
        attempts.slots[Int(attempt)].member = member
        attempts.slots[Int(attempt)].isHedge = isHedge
        attempts.slots[Int(attempt)].upstream = upstream
        attempts.slots[Int(attempt)].network = pools[upstream].transport(needs)
        attempts.slots[Int(attempt)].needs = needs
        attempts.slots[Int(attempt)].submittedAt = now
        attempts.slots[Int(attempt)].nextOfQuery = queries.slots[slot].firstAttempt
        queries.slots[slot].firstAttempt = attempt
        if !submit(attempt, now: now, into: &out) { enqueue(attempt, now: now, into: &out) }
        if queries.slots[slot].isOpen { armQuery(slot) }
    }

    /// Finds a place for a waiting attempt. False when there is none now.
    mutating func submit(_ attempt: Int32, now: Instant, into out: inout ActionBuffer) -> Bool {
        let upstream = attempts.slots[Int(attempt)].upstream
        let network = attempts.slots[Int(attempt)].network
        var decision = decide(attempt, now)
        if network == .udp, decision.takesPlace, isStreamsTurn(upstream, now) { return false }
        let id = attempts.id(attempt)
        if decision == .wait, makeRoom(upstream, for: network, now: now, into: &out) {
            // What was given up for it may have ended its query, and it.
            guard attempts.find(id) != nil, attempts.slots[Int(attempt)].state == .waiting else { return true }
            decision = decide(attempt, now)
        }
        switch decision {
        case .use(let slot), .queueOn(let slot):
            return place(attempt, slot, now: now, into: &out)
        case .open(let reason):
            guard let opened = open(upstream, network, reason, now: now, into: &out) else { return false }
            return place(attempt, opened, now: now, into: &out)
        case .wait:
            return false
        }
    }

    private mutating func decide(_ attempt: Int32, _ now: Instant) -> PoolDecision {
        let upstream = attempts.slots[Int(attempt)].upstream
        if attempts.slots[Int(attempt)].network == .udp {
            return pools[upstream].decideDatagram(now, random: &random)
        }
        let fresh = attempts.slots[Int(attempt)].needs.contains(.fresh)
        return pools[upstream].decideStream(connections.slots, fresh: fresh, now)
    }

    /// Puts an attempt behind those that wait. At the bound, or where connecting just failed, it fails instead.
    mutating func enqueue(_ attempt: Int32, now: Instant, into out: inout ActionBuffer) {
        let upstream = attempts.slots[Int(attempt)].upstream
        let network = attempts.slots[Int(attempt)].network
        if pools[upstream].endpoints.isEmpty && pools[upstream].resolution == nil {
            // `upstreams = ["system"]` on a machine that has no server now: waiting would bring none.
            return attemptFailed(attempt, .local, "no server of this machine is known", now: now, into: &out)
        }
        // The last connects failed a moment ago. Another member may do better than waiting here, or UDP; where there is
        // neither, an upstream that only restarts is back in a moment.
        let hasOthers = settings.groups[attempts.slots[Int(attempt)].group].members.count > 1
        let isHopeless = hasOthers || pools[upstream].isDatagram || pools[upstream].health.isDown
        if network.isStream, pools[upstream].streams.isEmpty, now < pools[upstream].connectBlockedUntil, isHopeless {
            return attemptFailed(attempt, .upstream, "connection refused or failed", now: now, into: &out)
        }
        note(upstream, network) { $0.waited += 1 }
        guard pools[upstream].waitingCount < pools[upstream].settings.pool.maxWaiters else {
            return waitingFailed(attempt, now: now, into: &out)
        }
        if pools[upstream].waitingCount == 0 {
            out.events.append(.atCeiling(upstream: upstream, ceiling: pools[upstream].ceiling, waiting: 1))
        }
        attempts.slots[Int(attempt)].timeoutAt = now + pools[upstream].settings.pool.acquireTimeout
        attempts.slots[Int(attempt)].isQueued = true
        pools[upstream].waitingCount += 1
        let id = attempts.id(attempt)
        if network == .udp { pools[upstream].datagramQueue.append(id) } else { pools[upstream].streamQueue.append(id) }
    }

    /// No place within `acquire_timeout`, or no place to wait: our own limit, never the upstream's fault.
    mutating func waitingFailed(_ attempt: Int32, now: Instant, into out: inout ActionBuffer) {
        note(attempts.slots[Int(attempt)].upstream, attempts.slots[Int(attempt)].network) { $0.waitFailed += 1 }
        let query = Int(attempts.slots[Int(attempt)].query)
        // Positions are those of the group that is asked now; an attempt may be of the one before.
        if attempts.slots[Int(attempt)].group == queries.slots[query].asks {
            queries.slots[query].exhausted |= 1 << UInt64(attempts.slots[Int(attempt)].member & 63)
        }
        attemptFailed(attempt, .local, "no free connection to the upstream", now: now, into: &out)
    }

    /// Binds an attempt to a connection, and sends it unless the connection is still being made.
    private mutating func place(
        _ attempt: Int32, _ slot: Int, now: Instant, into out: inout ActionBuffer
    ) -> Bool {
        let upstream = attempts.slots[Int(attempt)].upstream
        attempts.slots[Int(attempt)].connection = connections.id(slot)
        let last = connections.slots[slot].lastAttempt
        attempts.slots[Int(attempt)].previousOnConnection = last
        attempts.slots[Int(attempt)].nextOnConnection = -1
        if last >= 0 {
            attempts.slots[Int(last)].nextOnConnection = attempt
        } else {
            connections.slots[slot].firstAttempt = attempt
        }
        connections.slots[slot].lastAttempt = attempt
        connections.slots[slot].inFlight += 1
        pools[upstream].inFlight += 1
        attempts.slots[Int(attempt)].state = .assigned
        if connections.slots[slot].state == .connecting {
            // While it is down this was the try of the pause: the others must not wait for the connect too.
            pools[upstream].health.noteSent(now)
            let query = Int(attempts.slots[Int(attempt)].query)
            let half = Interval(nanoseconds: (queries.slots[query].deadline - now).nanoseconds / 2)
            attempts.slots[Int(attempt)].timeoutAt = now + min(half, pools[upstream].settings.pool.connectTimeout)
            return true
        }
        transmit(attempt, now: now, into: &out)
        return true
    }

    /// Writes the query of an attempt on its open connection.
    mutating func transmit(_ attempt: Int32, now: Instant, into out: inout ActionBuffer) {
        let index = Int(attempt)
        let connection = attempts.slots[index].connection
        let slot = Int(connection.slot)
        let upstream = attempts.slots[index].upstream
        let network = attempts.slots[index].network
        // Two attempts of one query may have waited for a place side by side.
        let (query, member) = (Int(attempts.slots[index].query), attempts.slots[index].member)
        let isCurrent = attempts.slots[index].group == queries.slots[query].asks
        if isCurrent && queries.slots[query].sendCounts.count(member, network) >= SendCounts.limit {
            return attemptFailed(attempt, .upstream, "no usable answer", now: now, into: &out)
        }
        // A request has a stream of its own and id 0, so that HTTP caches may share answers (RFC 8484 4.1).
        guard let id = network == .https ? 0 : inFlight.enter(attempt, on: connection, random: &random) else {
            // 65,536 ids and this one is full: as good as no place.
            return waitingFailed(attempt, now: now, into: &out)
        }
        let isReused = connections.slots[slot].queries > 0
        note(upstream, network) {
            $0.queries += 1
            if isReused { $0.reused += 1 }
        }
        if isCurrent { queries.slots[query].sendCounts.note(member, network) }
        attempts.slots[index].messageID = id
        attempts.slots[index].state = .sent
        attempts.slots[index].sentAt = now
        let avoidsEDNS =
            queries.slots[query].avoidsEDNS || now < pools[upstream].refusesEDNSUntil
        attempts.slots[index].hasEDNS = !avoidsEDNS
        attempts.slots[index].caseBits = caseBits(attempt)
        setTimeout(attempt, now)
        connections.slots[slot].queries += 1
        connections.slots[slot].usedAt = now
        if connections.slots[slot].silentSince == nil { connections.slots[slot].silentSince = now }
        pools[upstream].health.noteSent(now)
        if pools[upstream].owedSince == nil { pools[upstream].owedSince = now }
        write(attempt, connection, into: &out)
        if network == .udp {
            retireIfSpent(slot, now: now, into: &out)
        } else {
            armConnection(slot, now)
            if connections.slots[slot].queryLimit > 0,
                connections.slots[slot].queries >= connections.slots[slot].queryLimit
            {
                drain(slot, .queries, now: now, into: &out)
            }
        }
    }

    private mutating func caseBits(_ attempt: Int32) -> UInt64 {
        let index = Int(attempt)
        let query = Int(attempts.slots[index].query)
        let verifies = attempts.slots[index].needs.contains(.verifyCase)
        let wanted =
            settings.caseRandomization == .all
            || (settings.caseRandomization == .udp && attempts.slots[index].network == .udp)
        guard verifies || wanted, !pools[attempts.slots[index].upstream].hasLostCase, !queries.slots[query].avoidsCase
        else { return 0 }
        return random.next64() | 1
    }

    /// When to give up waiting for this sending: from the round trip, doubling with each, the last one longer.
    private mutating func setTimeout(_ attempt: Int32, _ now: Instant) {
        let index = Int(attempt)
        let query = Int(attempts.slots[index].query)
        let group = attempts.slots[index].group
        let upstream = attempts.slots[index].upstream
        let sends = queries.slots[query].sends
        let wait: Interval
        if let configured = settings.groups[group].attemptTimeout {
            wait = configured
        } else {
            let measured =
                attempts.slots[index].network == .udp
                ? pools[upstream].udpLatency.timeout(attempt: sends - 1)
                : pools[upstream].tcpLatency.timeout(attempt: sends - 1)
            wait = sends >= settings.groups[group].attempts ? max(measured, .seconds(1)) : measured
        }
        attempts.slots[index].timeoutAt = min(now + wait, queries.slots[query].deadline)
    }

    private mutating func write(_ attempt: Int32, _ connection: ConnectionID, into out: inout ActionBuffer) {
        let index = Int(attempt)
        let query = Int(attempts.slots[index].query)
        let upstream = attempts.slots[index].upstream
        let network = attempts.slots[index].network
        let question = queries.slots[query].question
        var message = UpstreamQuery(
            id: attempts.slots[index].messageID, type: question.type, recordClass: question.recordClass)
        message.checkingDisabled = question.checkingDisabled
        message.dnssecOK = question.dnssecOK
        message.caseBits = attempts.slots[index].caseBits
        message.hasEDNS = attempts.slots[index].hasEDNS
        message.udpSize = settings.udpPayload
        message.clientSubnet = clientSubnet
        // Once a stream is enough: the server's answer holds for the connection (RFC 7828 3.2.1).
        message.hasKeepalive =
            (network == .tcp || network == .tls) && connections.slots[Int(connection.slot)].queries == 1
        if network.isEncrypted {
            message.paddingBlock = settings.padding
        } else if settings.cookies {
            message.cookieLength = 8 + pools[upstream].serverCookieLength
            message.cookieOffset = upstream * 64
        }
        let start = out.bytes.count
        let isFramed = network == .tcp || network == .tls
        if isFramed { out.bytes.append16(0) }
        let length = writeQuery(
            message, name: queries.names, nameOffset: QueryTable.nameOffset(query), nameLength: question.nameLength,
            cookies: cookies, into: &out.bytes)
        if out.bytes.overflowed { return out.bytes.truncate(to: start) }
        switch network {
        case .tcp, .tls:
            out.bytes.store16(UInt16(clamping: length), at: start)
            out.upstream.append(.writeStream(connection, offset: start, count: length + 2))
        case .udp:
            out.upstream.append(
                .sendDatagram(connection, attempts.id(attempt), offset: start, count: length))
        case .https:
            out.upstream.append(.sendRequest(connection, attempts.id(attempt), offset: start, count: length))
        }
    }

    /// Counts something for one transport of an upstream.
    @inline(__always)
    mutating func note(_ upstream: Int, _ network: UpstreamTransport, _ change: (inout PoolStatistics) -> Void) {
        if network == .udp { change(&pools[upstream].udp) } else { change(&pools[upstream].tcp) }
    }
}
