// How a query ends: every client that joined gets its reply, the answer is kept, and everything is given back.

import DNSWire

extension Engine {
    /// The query has its answer, packed in `packer.scratch`.
    /// - Parameter isDeliberate: an error that a stale answer must not hide.
    mutating func finish(
        _ slot: Int, _ packed: PackedAnswer, isDeliberate: Bool, now: Instant, into out: inout ActionBuffer
    ) {
        var packed = packed
        packed.isDeliberate = isDeliberate
        noteLosers(slot, now: now, into: &out)
        if packed.kind == .failure { counters.failures[Fault.name.rawIndex] += 1 }
        keep(slot, packed, of: queries.slots[slot].asks, now: now)
        var isHidden = false
        switch queries.slots[slot].purpose {
        case .clients, .refresh:
            // RFC 8767 4: an error counts as no answer, so long as something better is kept.
            isHidden = packed.kind == .failure && !isDeliberate && giveStaleInstead(slot, now: now, into: &out)
            if !isHidden { counters.fromUpstream += UInt64(replyToAll(slot, now: now, into: &out)) }
        case .addresses(let upstream): takeAddresses(upstream, now: now, into: &out)
        case .probe(let upstream): pools[upstream].dispatch.probesAnswered += 1
        case .loop(let upstream): judgeLoop(upstream, packed, now: now, into: &out)
        }
        endQuery(slot, packed.length, isHidden: isHidden, now: now, into: &out)
    }

    /// Nothing is left to try: a stale answer, else SERVFAIL with the reason (RFC 8914), kept for a moment where the
    /// fault is not ours (RFC 9520).
    mutating func failQuery(_ slot: Int, now: Instant, into out: inout ActionBuffer) {
        var failure = queries.slots[slot].failure
        counters.failures[failure.fault.rawIndex] += 1
        if failure.isOfMachine { refreshBlockedUntil[Int(queries.slots[slot].question.group)] = now + .seconds(1) }
        if failure.text.isEmpty { failure = silence(slot, now) }
        let packed = packer.packFailure(
            .serverFailure, failure.code, text: failure.text, question: queries.slots[slot].question,
            name: queries.names, nameOffset: QueryTable.nameOffset(slot), now: now)
        let group = Int(queries.slots[slot].question.group)
        if failure.fault != .local { keep(slot, packed, of: group, now: now) }
        var isHidden = false
        switch queries.slots[slot].purpose {
        case .clients, .refresh:
            isHidden = giveStaleInstead(slot, now: now, into: &out)
            if !isHidden {
                counters.failed += UInt64(replyToAll(slot, now: now, into: &out))
            }
        case .addresses(let upstream): endResolution(upstream, now: now, into: &out)
        case .probe(let upstream):
            if failure.fault != .local { pools[upstream].health.probeFailed(now) }
        case .loop: break
        }
        endQuery(slot, packed.length, isHidden: isHidden, now: now, into: &out)
    }

    /// What is said when nobody said anything.
    private mutating func silence(_ slot: Int, _ now: Instant) -> QueryFailure {
        let group = queries.slots[slot].asks
        guard isDown(group, now) else { return QueryFailure(text: "no upstream answered in time") }
        return QueryFailure(
            code: hasHeard ? .noReachableAuthority : .notReady,
            text: "no upstream of group \(settings.groups[group].name) answers")
    }

    /// Keeps an answer as one of the group that gave it: a fallback's answer is none of the group's own, and must
    /// neither outlive the group's return nor push its stale answers out.
    private mutating func keep(_ slot: Int, _ packed: PackedAnswer, of group: Int, now: Instant) {
        guard queries.slots[slot].caches, isKept(queries.slots[slot].purpose) else { return }
        var question = queries.slots[slot].question
        if group != Int(question.group) { question.setGroup(group, epoch: groupEpochs[group]) }
        cache.store(
            packed, packer.scratch, question: question, name: queries.names,
            nameOffset: QueryTable.nameOffset(slot), now: now)
    }

    private func isKept(_ purpose: QueryPurpose) -> Bool {
        switch purpose {
        case .clients, .refresh, .addresses: true
        case .probe, .loop: false
        }
    }

    private mutating func giveStaleInstead(_ slot: Int, now: Instant, into out: inout ActionBuffer) -> Bool {
        guard queries.slots[slot].firstWaiter >= 0, queries.slots[slot].caches,
            allowsStale(Int(queries.slots[slot].question.group), now)
        else { return false }
        return giveStaleToAll(slot, now: now, into: &out)
    }

    /// Gives what lies in `packer.scratch` to every client that waits; those that are paced stay in the list.
    mutating func replyToAll(_ slot: Int, now: Instant, into out: inout ActionBuffer) -> Int {
        var replies = 0
        var kept: Int32 = -1
        let hasWaited = now - queries.slots[slot].startedAt > Engine.pacedAfter
        var waiter = queries.slots[slot].firstWaiter
        while waiter >= 0 {
            let entry = waiters[waiter]
            if hasWaited && isPaced(entry, now) {
                let following = entry.next
                waiters.link(waiter, before: kept)
                kept = waiter
                waiter = following
                continue
            }
            waiter = waiters.remove(waiter)
            turn &+= 1
            writer.write(
                packer.scratch, at: 0, age: 0, turn: turn, extendedError: nil, to: entry.query, into: &out)
            clientLoad.remove(entry.clientKey)
            replies += 1
        }
        queries.slots[slot].firstWaiter = kept
        return replies
    }

    /// Clients past their patience get nothing: there is no room, and others can still be helped.
    /// - Parameter until: who has waited since then or longer; nil = all, and the query ends.
    mutating func dropWaiters(_ slot: Int, until: Instant? = nil, now: Instant, into out: inout ActionBuffer) {
        var kept: Int32 = -1
        var waiter = queries.slots[slot].firstWaiter
        while waiter >= 0 {
            let entry = waiters[waiter]
            if let until, entry.since > until {
                waiters.link(waiter, before: kept)
                kept = waiter
                waiter = entry.next
                continue
            }
            clientLoad.remove(entry.clientKey)
            waiter = waiters.remove(waiter)
            drop(.impatient)
        }
        queries.slots[slot].firstWaiter = kept
        if kept < 0 { closeQuery(slot, now: now, into: &out) }
    }

    mutating func closeQuery(_ slot: Int, now: Instant, into out: inout ActionBuffer) {
        let purpose = queries.slots[slot].purpose
        wheel.cancel(TimerID(.query, slot))
        // A later query in this slot must not give its answer away, even where a full table ended this one early.
        if let held = queries.slots[slot].held { heldReplies.remove(held) }
        // Closed first: giving an attempt back may open a place for another query.
        let attempt = takeAttempts(slot)
        queries.close(slot)
        giveBackAll(attempt, now: now, into: &out)
        switch purpose {
        case .refresh: refreshes -= 1
        case .probe(let upstream), .loop(let upstream): probeEnded(upstream, purpose, now)
        case .clients, .addresses: break
        }
    }

    /// Gives everything back but the clients' places.
    mutating func letGo(_ slot: Int, now: Instant, into out: inout ActionBuffer) {
        giveBackAll(takeAttempts(slot), now: now, into: &out)
    }

    /// Nobody joins the query any more, and its attempts are nobody's: the first of their list.
    private mutating func takeAttempts(_ slot: Int) -> Int32 {
        if queries.slots[slot].joinKey != 0 { joins.remove(queries.slots[slot].joinKey) }
        queries.slots[slot].joinKey = 0
        defer { queries.slots[slot].firstAttempt = -1 }
        return queries.slots[slot].firstAttempt
    }

    private mutating func giveBackAll(_ first: Int32, now: Instant, into out: inout ActionBuffer) {
        var attempt = first
        while attempt >= 0 {
            let following = attempts.slots[Int(attempt)].nextOfQuery
            giveBack(attempt, now: now, into: &out)
            attempt = following
        }
    }

    /// An attempt came to nothing: remember why, let go, try what is next.
    /// - Parameter isOfMachine: nothing could be sent from here at all.
    mutating func attemptFailed(
        _ attempt: Int32, _ fault: Fault, _ text: String, isOfMachine: Bool = false, now: Instant,
        into out: inout ActionBuffer
    ) {
        let query = Int(attempts.slots[Int(attempt)].query)
        let upstream = attempts.slots[Int(attempt)].upstream
        let network = attempts.slots[Int(attempt)].network
        let needs = attempts.slots[Int(attempt)].needs
        let (group, member) = (attempts.slots[Int(attempt)].group, attempts.slots[Int(attempt)].member)
        if fault == .upstream || fault == .path {
            strategies[group].failed(member, after: now - attempts.slots[Int(attempt)].submittedAt, now: now)
        }
        note(upstream, network) { $0.failures[fault.rawIndex] += 1 }
        queries.slots[query].failure = QueryFailure(
            fault: fault, code: fault == .upstream || fault == .name ? .noReachableAuthority : .networkError,
            isOfMachine: isOfMachine, text: text)
        release(attempt, now: now, into: &out)
        if needs.contains(.verifyCase), queries.slots[query].freeRetries < Engine.freeRetryLimit,
            queries.slots[query].sendCounts.count(member, .udp) < SendCounts.limit
        {
            // TCP could not tell whether the case was lost honestly: as good as without 0x20, on another socket.
            queries.slots[query].avoidsCase = true
            queries.slots[query].freeRetries += 1
            return beginAttempt(query, group: group, member: member, needs: [], now: now, into: &out)
        }
        continueQuery(query, now: now, into: &out)
    }

    /// Takes an attempt out of its query's list and gives it back.
    mutating func release(_ attempt: Int32, now: Instant, into out: inout ActionBuffer) {
        let query = Int(attempts.slots[Int(attempt)].query)
        let following = attempts.slots[Int(attempt)].nextOfQuery
        if queries.slots[query].firstAttempt == attempt {
            queries.slots[query].firstAttempt = following
        } else {
            var before = queries.slots[query].firstAttempt
            while before >= 0 && attempts.slots[Int(before)].nextOfQuery != attempt {
                before = attempts.slots[Int(before)].nextOfQuery
            }
            if before >= 0 { attempts.slots[Int(before)].nextOfQuery = following }
        }
        giveBack(attempt, now: now, into: &out)
    }

    /// Frees an attempt's place on its connection, and its slot. Its id is buried, never reused early.
    private mutating func giveBack(_ attempt: Int32, now: Instant, into out: inout ActionBuffer) {
        let index = Int(attempt)
        switch attempts.slots[index].state {
        case .gone: return
        case .waiting:
            if attempts.slots[index].isQueued { pools[attempts.slots[index].upstream].waitingCount -= 1 }
        case .assigned, .sent:
            let connection = attempts.slots[index].connection
            if attempts.slots[index].network == .https {
                if attempts.slots[index].state == .sent && !attempts.slots[index].isAnswered {
                    out.upstream.append(.cancelRequest(connection, attempts.id(attempt)))
                }
            } else if attempts.slots[index].state == .sent {
                let isAnswered = attempts.slots[index].isAnswered
                inFlight.bury(connection, attempts.slots[index].messageID, isAnswered: isAnswered, now: now)
                if !isAnswered { connections.slots[Int(connection.slot)].hasAbandoned = true }
            }
            unlink(attempt)
            attempts.close(attempt)
            return placeFreed(Int(connection.slot), now: now, into: &out)
        }
        attempts.close(attempt)
    }

    /// Takes an attempt off its connection's list.
    mutating func unlink(_ attempt: Int32) {
        let index = Int(attempt)
        let slot = Int(attempts.slots[index].connection.slot)
        let before = attempts.slots[index].previousOnConnection
        let after = attempts.slots[index].nextOnConnection
        if before >= 0 {
            attempts.slots[Int(before)].nextOnConnection = after
        } else {
            connections.slots[slot].firstAttempt = after
        }
        if after >= 0 {
            attempts.slots[Int(after)].previousOnConnection = before
        } else {
            connections.slots[slot].lastAttempt = before
        }
        connections.slots[slot].inFlight -= 1
        pools[attempts.slots[index].upstream].inFlight -= 1
    }

    /// A connection has one query less: it may be idle now, or done with draining.
    private mutating func placeFreed(_ slot: Int, now: Instant, into out: inout ActionBuffer) {
        guard connections.slots[slot].inFlight == 0 else { return }
        if connections.slots[slot].state == .draining {
            return close(slot, connections.slots[slot].drainReason, now: now, into: &out)
        }
        // Idle, and heard from since the last query was written: nothing is owed any more.
        if connections.slots[slot].receivedAt == now { connections.slots[slot].silentSince = nil }
        if connections.slots[slot].network.isStream {
            armConnection(slot, now)
        } else {
            retireIfSpent(slot, now: now, into: &out)
        }
    }
}
