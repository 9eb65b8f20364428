// A connection is gone, or a datagram could not leave: whose fault is it, and what becomes of its queries.
//
// A local failure never counts against the upstream. A query lost with a connection that had answered before is asked
// again at once on a fresh one, at nobody's cost, once (RFC 7766 6.2.4).

import DNSWire

extension Engine {
    /// How long nothing is opened after our own machine refused.
    static let localPause = Interval.milliseconds(100)
    /// How long nothing is opened ahead of need after a stream was lost that never answered.
    static let prewarmPause = Interval.seconds(1)

    /// A connection (datagram or stream) is gone, or could not be opened. The runtime has closed it already.
    public mutating func connectionLost(
        _ connection: ConnectionID, _ failure: TransportFailure, now: Instant, into out: inout ActionBuffer
    ) {
        guard connections.isOpen(connection) else { return }
        let slot = Int(connection.slot)
        let lost = connections.slots[slot]
        // A closing peer is the ordinary end of an idle stream, and a change of the network has its own line;
        // everything else is worth one.
        let isQuietEnd = failure == .closedByPeer && lost.inFlight == 0 || failure == .addressGone
        if !isQuietEnd {
            out.events.append(.failed(upstream: lost.upstream, network: lost.network, failure: failure))
        }
        let firstOrphan = orphans.count
        detachAll(slot, now)
        forget(slot, failure == .closedByPeer ? .peer : failure == .addressGone ? .network : .error, into: &out)
        noteLoss(lost, failure, firstOrphan, now: now, into: &out)
        while orphans.count > firstOrphan {
            let orphan = orphans.removeLast()
            // Two sendings of one question may lie on one connection: settling the other may have ended both.
            guard let attempt = attempts.find(orphan.id) else { continue }
            let query = Int(attempts.slots[Int(attempt)].query)
            settle(attempt, orphan.wasSent, lost, failure, now: now, into: &out)
            if queries.slots[query].isOpen { armQuery(query) }
        }
        prewarm(lost.upstream, now: now, into: &out)
        serveWaiting(now: now, into: &out)
    }

    /// Takes all attempts off a connection; ids die with it. Each waits for a decision then and holds no place, so that
    /// it can be given back at any time.
    private mutating func detachAll(_ slot: Int, _ now: Instant) {
        while connections.slots[slot].firstAttempt >= 0 {
            let attempt = connections.slots[slot].firstAttempt
            let index = Int(attempt)
            let wasSent = attempts.slots[index].state == .sent
            if wasSent && attempts.slots[index].network != .https {
                inFlight.remove(attempts.slots[index].connection, attempts.slots[index].messageID)
            }
            unlink(attempt)
            attempts.slots[index].state = .waiting
            attempts.slots[index].connection = ConnectionID(slot: 0, generation: 0)
            orphans.append(Orphan(id: attempts.id(attempt), wasSent: wasSent))
        }
    }

    /// What the pool learns from the loss itself.
    private mutating func noteLoss(
        _ lost: Connection, _ failure: TransportFailure, _ firstOrphan: Int, now: Instant, into out: inout ActionBuffer
    ) {
        let upstream = lost.upstream
        // Only this connection is gone; another one may be opened at once.
        if failure == .addressGone { return }
        if failure == .networkUnreachable {
            pools[upstream].health.noteUnreachable(now)
            pools[upstream].prewarmBlockedUntil = now + Engine.prewarmPause
        } else if failure.fault == .local {
            if failure == .noDescriptors || failure == .noPorts {
                // It never was: these come only of opening.
                note(upstream, lost.network) {
                    $0.opened[lost.openReason.rawValue] &-= 1
                    $0.closed[CloseReason.error.rawValue] &-= 1
                }
            }
            pools[upstream].blockedUntil = now + Engine.localPause
            wakeUpstream(upstream, at: pools[upstream].blockedUntil)
        } else if lost.network.isStream && lost.state == .connecting {
            if noteAddressFailure(upstream, lost.address) { return }
            noteConnectFailure(upstream, now)
            // Nobody can be reached there, whatever was to be asked: no name is needed as evidence.
            if !pools[upstream].isDatagram {
                return noteFailure(upstream, nameHash: UInt64(bitPattern: now.nanoseconds), now, into: &out)
            }
        } else if lost.network.isStream && lost.responses == 0 {
            // A peer that takes connections only to close them must not have us open the next at once.
            pools[upstream].prewarmBlockedUntil = now + Engine.prewarmPause
        }
        if lost.network.isStream && lost.responses > 0 && failure == .closedByPeer && lost.inFlight == 0 {
            learnIdle(upstream, now - lost.usedAt, into: &out)
        }
        if lost.network.isStream && lost.inFlight > 0 && lost.responses > 0 && failure.fault == .upstream {
            // It closes after so many answers: do not pipeline more than that for a while.
            pools[upstream].pipelineLimit = max(1, min(pools[upstream].pipelineLimit, lost.responses))
            pools[upstream].answersInRow = 0
            learnQueries(upstream, lost.responses)
        }
        let isEvidence = failure.fault == .upstream || failure.fault == .path
        // A stream that answered before may have been closed for its age; a refusing port is refusing now.
        guard isEvidence, orphans.count > firstOrphan, lost.responses == 0 || lost.network == .udp else { return }
        let query = Int(attempts.slots[Int(orphans[firstOrphan].id.slot)].query)
        noteFailure(upstream, nameHash: queries.slots[query].question.nameHash, now, into: &out)
    }

    private mutating func noteConnectFailure(_ upstream: Int, _ now: Instant) {
        let doubled = Interval(nanoseconds: pools[upstream].connectPause.nanoseconds * 2)
        pools[upstream].connectPause = min(max(doubled, .milliseconds(100)), .seconds(1))
        pools[upstream].connectBlockedUntil = now + pools[upstream].connectPause
        wakeUpstream(upstream, at: pools[upstream].connectBlockedUntil)
    }

    /// The peer closed a stream that was idle for so long: next time we close first.
    private mutating func learnIdle(_ upstream: Int, _ idle: Interval, into out: inout ActionBuffer) {
        guard pools[upstream].settings.pool.learnIdle, idle < pools[upstream].settings.pool.idleTimeout else { return }
        // One closing may be a restart of the server; two that agree are a habit.
        let before = pools[upstream].seenIdle
        pools[upstream].seenIdle = idle
        guard let before, idle.nanoseconds <= 2 * before.nanoseconds, before.nanoseconds <= 2 * idle.nanoseconds else {
            return
        }
        let floor = max(min(idle, before), .milliseconds(200))
        if let known = pools[upstream].learnedIdle, known <= floor { return }
        pools[upstream].learnedIdle = floor
        pools[upstream].ownIdleCloses = 0
        out.events.append(.learnedIdle(upstream: upstream, floor))
    }

    /// The peer ended two streams after about as many answers: the next ones get no more queries than that, and none is
    /// lost with them.
    private mutating func learnQueries(_ upstream: Int, _ answers: Int) {
        let before = pools[upstream].seenAnswers
        pools[upstream].seenAnswers = answers
        guard let before, answers <= 2 * before, before <= 2 * answers else { return }
        pools[upstream].learnedQueries = min(answers, before)
        pools[upstream].ownQueryCloses = 0
    }

    /// Now and then a stream may carry more again: the peer may have changed its mind.
    mutating func noteOwnQueryClose(_ upstream: Int) {
        guard let learned = pools[upstream].learnedQueries else { return }
        pools[upstream].ownQueryCloses += 1
        guard pools[upstream].ownQueryCloses >= 8 else { return }
        pools[upstream].ownQueryCloses = 0
        pools[upstream].learnedQueries = learned < 1_000 ? learned + max(1, learned / 4) : nil
    }

    /// Now and then the learned limit is tried a little longer: the peer may have changed its mind.
    mutating func noteOwnIdleClose(_ upstream: Int) {
        guard let learned = pools[upstream].learnedIdle else { return }
        pools[upstream].ownIdleCloses += 1
        guard pools[upstream].ownIdleCloses >= 8 else { return }
        pools[upstream].ownIdleCloses = 0
        let longer = Interval(nanoseconds: learned.nanoseconds / 4 * 5)
        pools[upstream].learnedIdle = longer < pools[upstream].settings.pool.idleTimeout ? longer : nil
    }

    /// Decides about one attempt of a lost connection. It is on no list of a connection any more.
    private mutating func settle(
        _ attempt: Int32, _ wasSent: Bool, _ lost: Connection, _ failure: TransportFailure, now: Instant,
        into out: inout ActionBuffer
    ) {
        let index = Int(attempt)
        let needs = attempts.slots[index].needs
        if attempts.slots[index].isTimedOut {
            // It was given up already; only its answer was awaited.
            return attemptFailed(attempt, failure.fault, "connection lost", now: now, into: &out)
        }
        if failure == .messageTooLong { return askAgain(attempt, needs.union(.stream), now: now, into: &out) }
        if failure.fault == .local {
            if failure == .networkUnreachable {
                return attemptFailed(
                    attempt, .local, "network unreachable", isOfMachine: true, now: now, into: &out)
            }
            if failure == .addressGone && wasSent && lost.network.isStream {
                // Our own network took it back; `freeRetries` bounds how often.
                let query = Int(attempts.slots[index].query)
                queries.slots[query].sendCounts.undo(attempts.slots[index].member, lost.network)
            }
            return askAgain(attempt, needs, at: .local, now: now, into: &out)
        }
        if lost.network.isStream {
            if lost.state == .connecting, hasUntriedAddress(lost.upstream) {
                return askAgain(attempt, needs, at: .path, now: now, into: &out)
            }
            let retries = pools[lost.upstream].settings.pool.retryStale
            if retries && wasSent && lost.responses > 0 {
                // It answered and then ended: that says nothing of the queries that were still under way.
                pools[lost.upstream].tcp.staleRetries += 1
                return notLookedAt(attempt, needs.union(.fresh), now: now, into: &out)
            }
        } else if !needs.contains(.fresh) {
            // An ICMP error may be a middlebox's, or meant for an old query: once more from another socket.
            return askAgain(attempt, needs.union(.fresh), now: now, into: &out)
        }
        attemptFailed(attempt, failure.fault, text(failure), now: now, into: &out)
    }

    private func text(_ failure: TransportFailure) -> String {
        switch failure {
        case .refused: "connection refused"
        case .reset: "connection reset"
        case .closedByPeer: "connection closed by the upstream"
        case .timedOut: "connecting took too long"
        case .hostUnreachable: "host unreachable"
        case .protocolError: "protocol error on the connection"
        case .handshakeTimedOut: "TLS handshake took too long"
        case .tlsAlert: "TLS handshake refused"
        case .wrongName: "upstream's certificate is for another name"
        case .certificateExpired: "upstream's certificate has expired"
        case .certificateNotYetValid: "upstream's certificate is not valid yet"
        case .untrustedIssuer: "upstream's certificate is not trusted"
        case .pinMismatch: "upstream's key is not the pinned one"
        case .wrongALPN: "upstream speaks no HTTP/2"
        default: "connection failed"
        }
    }

    /// One datagram could not be sent; the socket is still good. Sent again shortly, at nobody's cost.
    public mutating func sendFailed(
        _ attempt: AttemptID, _ failure: TransportFailure, now: Instant, into out: inout ActionBuffer
    ) {
        guard let slot = attempts.find(attempt), attempts.slots[Int(slot)].state == .sent else { return }
        let query = Int(attempts.slots[Int(slot)].query)
        let upstream = attempts.slots[Int(slot)].upstream
        note(upstream, attempts.slots[Int(slot)].network) { $0.failures[failure.fault.rawIndex] += 1 }
        // What never left is no sending; `freeRetries` bounds how often it is tried.
        if !attempts.slots[Int(slot)].wasUnsent {
            queries.slots[query].sendCounts.undo(attempts.slots[Int(slot)].member, attempts.slots[Int(slot)].network)
        }
        if failure == .messageTooLong {
            askAgain(slot, attempts.slots[Int(slot)].needs.union(.stream), now: now, into: &out)
        } else {
            attempts.slots[Int(slot)].wasUnsent = true
            attempts.slots[Int(slot)].timeoutAt = now + .milliseconds(20)
        }
        if queries.slots[query].isOpen { armQuery(query) }
    }
}
