// How a query ends: every client that joined gets its reply, the answer is kept, and everything is given back.

import DNSWire

extension Engine {
    /// The query has its answer, packed in `packer.scratch`.
    mutating func finish(_ slot: Int, _ packed: PackedAnswer, now: Instant, into out: inout ActionBuffer) {
        if packed.kind == .failure {
            counters.failures[Fault.name.rawIndex] += 1
        }
        cache.store(
            packed, packer.scratch, question: queries.slots[slot].question, name: queries.names,
            nameOffset: QueryTable.nameOffset(slot), now: now)
        counters.fromUpstream += UInt64(replyToAll(slot, now: now, into: &out))
        closeQuery(slot, now: now, into: &out)
    }

    /// Nothing is left to try: SERVFAIL with the reason (RFC 8914), kept for a moment where the fault is not ours
    /// (RFC 9520).
    mutating func failQuery(_ slot: Int, now: Instant, into out: inout ActionBuffer) {
        let failure = queries.slots[slot].failure
        counters.failures[failure.fault.rawIndex] += 1
        let packed = packer.packFailure(
            .serverFailure, failure.code, text: failure.text, question: queries.slots[slot].question,
            name: queries.names, nameOffset: QueryTable.nameOffset(slot), now: now)
        if failure.fault != .local {
            cache.store(
                packed, packer.scratch, question: queries.slots[slot].question, name: queries.names,
                nameOffset: QueryTable.nameOffset(slot), now: now)
        }
        counters.failed += UInt64(replyToAll(slot, now: now, into: &out))
        closeQuery(slot, now: now, into: &out)
    }

    private mutating func replyToAll(_ slot: Int, now: Instant, into out: inout ActionBuffer) -> Int {
        var replies = 0
        var waiter = queries.slots[slot].firstWaiter
        while waiter >= 0 {
            let entry = waiters[waiter]
            waiter = waiters.remove(waiter)
            if case .resolution(let upstream) = entry.query.client.path {
                takeAddresses(Int(upstream), now: now, into: &out)
                continue
            }
            turn &+= 1
            writer.write(
                packer.scratch, at: 0, age: 0, turn: turn, extendedError: nil, to: entry.query, into: &out)
            clientLoad.remove(entry.clientKey)
            replies += 1
        }
        queries.slots[slot].firstWaiter = -1
        return replies
    }

    private mutating func closeQuery(_ slot: Int, now: Instant, into out: inout ActionBuffer) {
        if queries.slots[slot].joinKey != 0 { joins.remove(queries.slots[slot].joinKey) }
        wheel.cancel(TimerID(.query, slot))
        var attempt = queries.slots[slot].firstAttempt
        queries.slots[slot].firstAttempt = -1
        queries.close(slot)
        while attempt >= 0 {
            let following = attempts.slots[Int(attempt)].nextOfQuery
            giveBack(attempt, now: now, into: &out)
            attempt = following
        }
    }

    /// An attempt came to nothing: remember why, let go, try what is next.
    mutating func attemptFailed(
        _ attempt: Int32, _ fault: Fault, _ text: String, now: Instant, into out: inout ActionBuffer
    ) {
        let query = Int(attempts.slots[Int(attempt)].query)
        let upstream = attempts.slots[Int(attempt)].upstream
        let network = attempts.slots[Int(attempt)].network
        let needs = attempts.slots[Int(attempt)].needs
        let member = attempts.slots[Int(attempt)].member
        note(upstream, network) { $0.failures[fault.rawIndex] += 1 }
        queries.slots[query].failure = QueryFailure(
            fault: fault, code: fault == .upstream || fault == .name ? .noReachableAuthority : .networkError, text: text
        )
        release(attempt, now: now, into: &out)
        if needs.contains(.verifyCase), queries.slots[query].freeRetries < Engine.freeRetryLimit,
            queries.slots[query].sendCounts.count(member, .udp) < SendCounts.limit
        {
            // TCP could not tell whether the case was lost honestly: as good as without 0x20, on another socket.
            queries.slots[query].avoidsCase = true
            queries.slots[query].freeRetries += 1
            return beginAttempt(query, member: member, needs: [], now: now, into: &out)
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
