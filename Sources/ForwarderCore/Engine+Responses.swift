// From an upstream's message to an answer, a retry, or nothing: whose answer is it, is it one, what does it mean.
//
// A message counts only if connection, id, QR, opcode and the whole question match (RFC 5452 9.1). Everything else is
// dropped and the wait goes on. On UDP a message that comes close is a sign of forgery: its query goes to TCP, its
// socket is replaced.

import DNSWire

extension Engine {
    /// A message from an upstream: one datagram of a connected socket, or one message of a stream, unframed.
    public mutating func upstreamSent(
        _ message: Span<UInt8>, on connection: ConnectionID, now: Instant, into out: inout ActionBuffer
    ) {
        guard connections.isOpen(connection) else { return }
        let slot = Int(connection.slot)
        noteReceived(slot, now)
        guard message.count >= Header.size else { return garbled(slot, nil, now: now, into: &out) }
        switch inFlight.find(connection, message.load16(Header.idOffset)) {
        case .tombstone:
            note(connections.slots[slot].upstream, connections.slots[slot].network) { $0.lateResponses += 1 }
            noteHeard(connections.slots[slot].upstream, now: now, into: &out)
        case nil where connections.slots[slot].network.isStream && connections.slots[slot].hasAbandoned:
            // Later than a tombstone lives; nobody can forge on a stream.
            pools[connections.slots[slot].upstream].tcp.lateResponses += 1
            noteHeard(connections.slots[slot].upstream, now: now, into: &out)
        case nil:
            // A forged id with the right question points at the query that is under attack.
            let aimed = connections.slots[slot].network == .udp ? findByQuestion(slot, message) : nil
            garbled(slot, aimed, now: now, into: &out)
        case .attempt(let attempt):
            received(message, attempt, slot, HTTPFreshness(), now: now, into: &out)
        }
        serveWaiting(now: now, into: &out)
    }

    mutating func noteReceived(_ slot: Int, _ now: Instant) {
        connections.slots[slot].receivedAt = now
        connections.slots[slot].usedAt = now
        connections.slots[slot].timeoutsInRow = 0
        connections.slots[slot].isProbed = false
        // This message may answer the only query: `release` clears the clock then.
        connections.slots[slot].silentSince = connections.slots[slot].inFlight > 0 ? now : nil
        if connections.slots[slot].state == .quarantined { connections.slots[slot].state = .ready }
    }

    /// The attempt on this socket whose question the message repeats, in any letter case: the case is a secret that a
    /// forger does not know.
    private func findByQuestion(_ slot: Int, _ message: Span<UInt8>) -> Int32? {
        var attempt = connections.slots[slot].firstAttempt
        while attempt >= 0 {
            let found = match(message, attempt)
            if found == .exact || found == .caseDiffers { return attempt }
            attempt = attempts.slots[Int(attempt)].nextOnConnection
        }
        return nil
    }

    private func match(_ message: Span<UInt8>, _ attempt: Int32) -> QuestionMatch {
        let query = Int(attempts.slots[Int(attempt)].query)
        let question = queries.slots[query].question
        return compareQuestion(
            message, name: queries.names, nameOffset: QueryTable.nameOffset(query), nameLength: question.nameLength,
            type: question.type, recordClass: question.recordClass, caseBits: attempts.slots[Int(attempt)].caseBits)
    }

    /// A message that is nobody's answer. On a stream, where nothing can be forged, it is a protocol violation.
    private mutating func garbled(_ slot: Int, _ attempt: Int32?, now: Instant, into out: inout ActionBuffer) {
        let upstream = connections.slots[slot].upstream
        if connections.slots[slot].network.isStream {
            let id = connections.id(slot)
            out.upstream.append(.close(id))
            return connectionLost(id, .protocolError, now: now, into: &out)
        }
        pools[upstream].udp.nearMisses += 1
        out.events.append(.nearMiss(upstream: upstream))
        // Half of the sockets at most: a flood of forgeries must not leave queries without any.
        replace(slot, .suspect, atMost: max(1, pools[upstream].ceiling / 2), now: now, into: &out)
        if let attempt { moveToStream(attempt, [], now: now, into: &out) }
    }

    /// Asks the same upstream over TCP instead, at nobody's cost.
    private mutating func moveToStream(
        _ attempt: Int32, _ needs: AttemptNeeds, now: Instant, into out: inout ActionBuffer
    ) {
        askAgain(attempt, needs.union(.stream), now: now, into: &out)
    }

    /// Sends the query once more to the same upstream without counting it, a bounded number of times.
    /// - Parameter fault: whose fault it is if that bound is reached.
    mutating func askAgain(
        _ attempt: Int32, _ needs: AttemptNeeds, at fault: Fault = .upstream, now: Instant, into out: inout ActionBuffer
    ) {
        let query = Int(attempts.slots[Int(attempt)].query)
        let (group, member) = (attempts.slots[Int(attempt)].group, attempts.slots[Int(attempt)].member)
        let upstream = attempts.slots[Int(attempt)].upstream
        let network: UpstreamTransport =
            pools[upstream].isDatagram && !needs.contains(.stream) ? .udp : pools[upstream].streamTransport
        let sent = queries.slots[query].sendCounts.count(member, network)
        // The counts are those of the group that is asked now; one that was left is not asked again.
        let isCurrent = group == queries.slots[query].asks
        guard isCurrent, queries.slots[query].freeRetries < Engine.freeRetryLimit, sent < SendCounts.limit else {
            let text: String = fault == .local ? "nothing could be sent from here" : "no usable answer"
            return attemptFailed(attempt, fault, text, isOfMachine: fault == .local, now: now, into: &out)
        }
        queries.slots[query].freeRetries += 1
        release(attempt, now: now, into: &out)
        beginAttempt(query, group: group, member: member, needs: needs, now: now, into: &out)
    }

    /// The id (or the request) is an attempt's. Is the message its answer?
    mutating func received(
        _ message: Span<UInt8>, _ attempt: Int32, _ slot: Int, _ freshness: HTTPFreshness, now: Instant,
        into out: inout ActionBuffer
    ) {
        let isStream = connections.slots[slot].network.isStream
        let flags = message.load16(Header.flagsOffset)
        guard flags & Header.response != 0, flags & Header.opcodeMask == 0 else {
            return notItsAnswer(attempt, slot, now: now, into: &out)
        }
        switch match(message, attempt) {
        case .exact: break
        case .caseDiffers:
            guard acceptsCase(attempt, isStream, into: &out) else {
                pools[connections.slots[slot].upstream].udp.nearMisses += 1
                return moveToStream(attempt, .verifyCase, now: now, into: &out)
            }
        case .absent:
            // An old server's error without a question: believed only where nobody can forge it.
            guard isStream, flags & Header.rcodeMask != 0, flags & Header.rcodeMask != 3 else {
                return notItsAnswer(attempt, slot, now: now, into: &out)
            }
        case .differs:
            return notItsAnswer(attempt, slot, now: now, into: &out)
        }
        if flags & Header.truncated != 0 && !isStream {
            pools[connections.slots[slot].upstream].udp.truncated += 1
            noteAnswer(attempt, slot, now: now, into: &out)
            return moveToStream(attempt, [], now: now, into: &out)
        }
        let query = Int(attempts.slots[Int(attempt)].query)
        guard
            let survey = try? surveyResponse(
                message, dnssecOK: queries.slots[query].question.dnssecOK, ttlOffsets: &ttlOffsets)
        else {
            return malformed(attempt, slot, isStream, now: now, into: &out)
        }
        guard cookieIsRight(message, survey, attempt, isStream) else {
            return notItsAnswer(attempt, slot, now: now, into: &out)
        }
        noteAnswer(attempt, slot, now: now, into: &out)
        accepted(message, survey, attempt, slot, freshness, now: now, into: &out)
    }

    /// What came under an attempt's id does not answer it: a forgery on UDP, a protocol violation on a stream. An HTTP
    /// request stands alone, and so does its failure.
    private mutating func notItsAnswer(
        _ attempt: Int32, _ slot: Int, now: Instant, into out: inout ActionBuffer
    ) {
        switch connections.slots[slot].network {
        case .udp: garbled(slot, attempt, now: now, into: &out)
        case .tcp, .tls: garbled(slot, nil, now: now, into: &out)
        case .https:
            attempts.slots[Int(attempt)].isAnswered = true
            attemptFailed(attempt, .upstream, "response to another question", now: now, into: &out)
        }
    }

    /// Letter case differs from what was sent. Fine where none was sent; over TCP it is the verified loss of it.
    private mutating func acceptsCase(_ attempt: Int32, _ isStream: Bool, into out: inout ActionBuffer) -> Bool {
        if attempts.slots[Int(attempt)].caseBits == 0 { return true }
        guard isStream else { return false }
        let upstream = attempts.slots[Int(attempt)].upstream
        if !pools[upstream].hasLostCase {
            pools[upstream].hasLostCase = true
            out.events.append(.caseLost(upstream: upstream))
        }
        return true
    }

    /// Right addresses, id and question, but no DNS message: over UDP perhaps forged, over TCP the upstream's fault.
    private mutating func malformed(
        _ attempt: Int32, _ slot: Int, _ isStream: Bool, now: Instant, into out: inout ActionBuffer
    ) {
        if !isStream { return garbled(slot, attempt, now: now, into: &out) }
        attempts.slots[Int(attempt)].isAnswered = true
        attemptFailed(attempt, .upstream, "malformed response", now: now, into: &out)
    }

    /// RFC 7873 5.3: a wrong client cookie is dropped; one that is missing, where the server is known to send it, is
    /// suspect over UDP. A new server cookie is kept.
    private mutating func cookieIsRight(
        _ message: Span<UInt8>, _ survey: SurveyedResponse, _ attempt: Int32, _ isStream: Bool
    ) -> Bool {
        let attemptNetwork = attempts.slots[Int(attempt)].network
        guard settings.cookies, attempts.slots[Int(attempt)].hasEDNS, !attemptNetwork.isEncrypted else { return true }
        let upstream = attempts.slots[Int(attempt)].upstream
        let length = survey.cookie.count
        if length == 0 {
            if pools[upstream].serverCookieLength == 0 { return true }
            // Over a stream nobody forges: the server has stopped using cookies.
            if isStream { pools[upstream].serverCookieLength = 0 }
            return isStream
        }
        guard length >= 8 else { return false }
        for octet in 0..<8 where message[survey.cookie.lowerBound + octet] != cookies[upstream * 64 + octet] {
            return false
        }
        if length >= 16 && length <= 40 {
            cookies.copy(
                from: message, range: survey.cookie.lowerBound + 8..<survey.cookie.upperBound, to: upstream * 64 + 8)
            pools[upstream].serverCookieLength = length - 8
        }
        return true
    }

    /// The upstream is alive and this is how long it took.
    private mutating func noteAnswer(_ attempt: Int32, _ slot: Int, now: Instant, into out: inout ActionBuffer) {
        let upstream = attempts.slots[Int(attempt)].upstream
        let network = attempts.slots[Int(attempt)].network
        let roundTrip = now - attempts.slots[Int(attempt)].sentAt
        if network == .udp {
            pools[upstream].udpLatency.note(roundTrip)
        } else {
            pools[upstream].tcpLatency.note(roundTrip)
            notePipelining(upstream)
        }
        attempts.slots[Int(attempt)].isAnswered = true
        connections.slots[slot].responses += 1
        note(upstream, network) { $0.responses += 1 }
        noteHeard(upstream, now: now, into: &out)
    }

    /// A peer that closed early is trusted with longer pipelines again, slowly.
    private mutating func notePipelining(_ upstream: Int) {
        let most = max(1, pools[upstream].settings.pool.maxInflight)
        guard pools[upstream].pipelineLimit < most else { return }
        pools[upstream].answersInRow += 1
        if pools[upstream].answersInRow >= 8 * pools[upstream].pipelineLimit {
            pools[upstream].answersInRow = 0
            pools[upstream].pipelineLimit = min(most, pools[upstream].pipelineLimit * 2)
        }
    }

    /// A whole, matching response: done, or a reason to ask again.
    private mutating func accepted(
        _ message: Span<UInt8>, _ survey: SurveyedResponse, _ attempt: Int32, _ slot: Int, _ freshness: HTTPFreshness,
        now: Instant, into out: inout ActionBuffer
    ) {
        let query = Int(attempts.slots[Int(attempt)].query)
        let isStream = connections.slots[slot].network.isStream
        noteChoice(attempt, survey, now)
        if isStream, let units = survey.keepalive {
            connections.slots[slot].announcedIdle = .milliseconds(Int64(units) * 100)
        }
        if survey.rcode == .badCookie {
            // With the new cookie at once; where that fails too, over TCP (RFC 7873 5.3).
            let needs = attempts.slots[Int(attempt)].needs
            if isStream && needs.contains(.newCookie) {
                return attemptFailed(attempt, .upstream, "upstream refuses its own cookie", now: now, into: &out)
            }
            let again: AttemptNeeds = needs.contains(.newCookie) ? [.stream, .newCookie] : .newCookie
            return askAgain(attempt, isStream ? again.union(.stream) : again, now: now, into: &out)
        }
        let isErrorOfEDNS = survey.rcode == .formatError || survey.rcode == .notImplemented
        if isErrorOfEDNS && !survey.hasEDNS && attempts.slots[Int(attempt)].hasEDNS {
            // Not believed for the upstream: one forged FORMERR must not switch EDNS off (CVE-2026-52690).
            queries.slots[query].avoidsEDNS = true
            return askAgain(attempt, isStream ? .stream : [], now: now, into: &out)
        }
        if queries.slots[query].avoidsEDNS && !isErrorOfEDNS { learnEDNS(attempt, now) }
        if isWorthAsking(survey, attempt) {
            // A fast error must not win over a member that is still at work on the answer.
            if hasOtherLive(attempt) {
                return attemptFailed(attempt, .name, "upstream answered with an error", now: now, into: &out)
            }
            if retryElsewhere(attempt, now: now, into: &out) { return }
        }
        let packed = packer.pack(
            message, survey, ttlOffsets: &ttlOffsets, question: queries.slots[query].question, name: queries.names,
            nameOffset: QueryTable.nameOffset(query), age: freshness.age, freshness: freshness.limit, now: now)
        guard let packed else {
            return attemptFailed(attempt, .upstream, "unusable response", now: now, into: &out)
        }
        if attempts.slots[Int(attempt)].isHedge {
            pools[attempts.slots[Int(attempt)].upstream].dispatch.hedgesWon += 1
        }
        // Before `finish` releases the rest: an answered id is buried, so that a duplicate is known.
        finish(query, packed, isDeliberate: isDeliberate(survey), now: now, into: &out)
    }

    /// Tells the strategy what its choice was worth. A member whose errors come fast must not look like the fast one.
    private mutating func noteChoice(_ attempt: Int32, _ survey: SurveyedResponse, _ now: Instant) {
        let entry = attempts.slots[Int(attempt)]
        if isWorthAsking(survey, attempt) {
            strategies[entry.group].failed(entry.member, after: now - entry.sentAt, now: now)
        } else {
            strategies[entry.group].note(entry.member, roundTrip: now - entry.sentAt, now: now)
        }
    }

    /// Whether another member could do better: an error of `failover_on` that does not say that it is meant.
    private func isWorthAsking(_ survey: SurveyedResponse, _ attempt: Int32) -> Bool {
        settings.groups[attempts.slots[Int(attempt)].group].failoverOn.contains(survey.rcode.rawValue)
            && !isDeliberate(survey)
    }

    private func isDeliberate(_ survey: SurveyedResponse) -> Bool {
        survey.extendedError.map(DeliberateError.isOne) ?? false
    }

    /// It answered without EDNS what it refused with it. Where nobody can have forged that, it holds for an hour.
    private mutating func learnEDNS(_ attempt: Int32, _ now: Instant) {
        let upstream = attempts.slots[Int(attempt)].upstream
        guard pools[upstream].settings.isAuthenticated, !attempts.slots[Int(attempt)].hasEDNS else { return }
        pools[upstream].refusesEDNSUntil = now + .seconds(3_600)
    }
}
