// Queries as HTTP/2 requests (RFC 8484): what the runtime tells of them. One stream a query, matched by the request.
//
// A response is looked at as closely as one that came over UDP; only that nobody can forge it is known beforehand.
// HTTP's own failures never count as an answer (RFC 8484 4.2.1), and none is ever followed elsewhere.

import DNSWire

/// What HTTP says about an answer's time.
struct HTTPFreshness {
    /// Seconds of the `Age` header.
    var age: UInt32 = 0
    /// Seconds that the response is fresh for; nil = not said.
    var limit: UInt32?
}

extension Engine {
    /// The longest that a Retry-After keeps us from an upstream: it must be used again within a minute.
    static let longestRetryAfter = 60
    /// Refusals of one query. Each is a round trip, and each lowers what its connection is given.
    static let refusalLimit = 8

    /// The body of a 2xx response to a request.
    /// - Parameters:
    ///   - age: seconds of the `Age` header, which TTLs are lowered by (RFC 8484 5.1).
    ///   - freshness: seconds that the HTTP response is fresh for (max-age less Age), a ceiling for TTLs; nil = not
    ///     said.
    public mutating func upstreamAnswered(
        _ message: Span<UInt8>, to attempt: AttemptID, on connection: ConnectionID, age: UInt32, freshness: UInt32?,
        now: Instant, into out: inout ActionBuffer
    ) {
        guard connections.isOpen(connection) else { return }
        let slot = Int(connection.slot)
        noteReceived(slot, now)
        guard let index = request(attempt, connection) else {
            note(connections.slots[slot].upstream, .https) { $0.lateResponses += 1 }
            return
        }
        if message.count >= Header.size && message.load16(Header.idOffset) == 0 {
            received(message, index, slot, HTTPFreshness(age: age, limit: freshness), now: now, into: &out)
        } else {
            attempts.slots[Int(index)].isAnswered = true
            attemptFailed(index, .upstream, "malformed response", now: now, into: &out)
        }
        serveWaiting(now: now, into: &out)
    }

    /// The attempt that a request still belongs to.
    private func request(_ attempt: AttemptID, _ connection: ConnectionID) -> Int32? {
        guard let index = attempts.find(attempt), attempts.slots[Int(index)].state == .sent,
            attempts.slots[Int(index)].connection == connection
        else { return nil }
        return index
    }

    /// A request failed; its connection lives on.
    public mutating func requestFailed(
        _ attempt: AttemptID, on connection: ConnectionID, _ failure: RequestFailure, now: Instant,
        into out: inout ActionBuffer
    ) {
        guard connections.isOpen(connection) else { return }
        let slot = Int(connection.slot)
        let upstream = connections.slots[slot].upstream
        noteReceived(slot, now)
        guard let index = request(attempt, connection) else { return }
        // The stream has ended: nothing is left to cancel.
        attempts.slots[Int(index)].isAnswered = true
        let query = Int(attempts.slots[Int(index)].query)
        if failure == .refused {
            // The peer takes no more than it has now; elsewhere, or when one is done, it costs nobody anything.
            connections.slots[slot].capacity = min(
                connections.slots[slot].capacity, max(1, connections.slots[slot].inFlight - 1))
            notLookedAt(index, attempts.slots[Int(index)].needs, now: now, into: &out)
        } else {
            out.events.append(.requestFailed(upstream: upstream, failure))
            if case .retryAfter(let seconds) = failure {
                let pause = min(max(seconds, 1), Engine.longestRetryAfter)
                pools[upstream].health.noteAway(until: now + .seconds(Int64(pause)))
            } else {
                let (nameHash, purpose) = (queries.slots[query].question.nameHash, queries.slots[query].purpose)
                noteFailure(upstream, nameHash: nameHash, for: purpose, now, into: &out)
            }
            attemptFailed(index, .upstream, text(failure), now: now, into: &out)
        }
        if queries.slots[query].isOpen { armQuery(query) }
        serveWaiting(now: now, into: &out)
    }

    /// Asks again what the peer did not look at: it was not sent, as it were. Counts nowhere but against its own
    /// bound, which a peer that only refuses, or answers one query a connection for ever, would reach.
    mutating func notLookedAt(
        _ attempt: Int32, _ needs: AttemptNeeds, now: Instant, into out: inout ActionBuffer
    ) {
        let query = Int(attempts.slots[Int(attempt)].query)
        let (group, member) = (attempts.slots[Int(attempt)].group, attempts.slots[Int(attempt)].member)
        let isCurrent = group == queries.slots[query].asks
        guard isCurrent, queries.slots[query].refusals < Engine.refusalLimit else {
            return attemptFailed(attempt, .upstream, "not looked at again and again", now: now, into: &out)
        }
        queries.slots[query].refusals += 1
        queries.slots[query].sendCounts.undo(member, attempts.slots[Int(attempt)].network)
        release(attempt, now: now, into: &out)
        beginAttempt(query, group: group, member: member, needs: needs, now: now, into: &out)
    }

    private func text(_ failure: RequestFailure) -> String {
        switch failure {
        case .refused: "request refused"
        case .reset: "request reset"
        case .status: "HTTP error status"
        case .retryAfter: "upstream asks to come back later"
        case .contentType: "wrong content type"
        case .tooLong: "response too long"
        case .incomplete: "response cut short"
        }
    }

    /// How many streams the peer allows at once (SETTINGS_MAX_CONCURRENT_STREAMS).
    public mutating func connectionCapacity(
        _ connection: ConnectionID, streams: Int, now: Instant, into out: inout ActionBuffer
    ) {
        guard connections.isOpen(connection) else { return }
        connections.slots[Int(connection.slot)].capacity = max(0, streams)
        pools[connections.slots[Int(connection.slot)].upstream].knownCapacity = streams
        serveWaiting(now: now, into: &out)
    }

    /// No new request on the connection (GOAWAY, stream ids used up); what is under way goes on.
    public mutating func connectionRetiring(_ connection: ConnectionID, now: Instant, into out: inout ActionBuffer) {
        guard connections.isOpen(connection) else { return }
        drain(Int(connection.slot), .peer, now: now, into: &out)
        serveWaiting(now: now, into: &out)
    }

    /// Something came that is no message (SETTINGS, a PING's answer): the connection is alive.
    public mutating func connectionHeard(_ connection: ConnectionID, now: Instant) {
        guard connections.isOpen(connection) else { return }
        noteReceived(Int(connection.slot), now)
    }
}
