// What upstreams do: each query, stream and PING gets its fate when it is sent, and meets it when it arrives.

import ForwarderCore

extension Simulation {
    private static let errors: [UInt16] = [2, 2, 2, 5, 4, 1]
    /// DNSSEC bogus, blocked, stale, not ready, none.
    private static let extendedErrors: [UInt16?] = [nil, nil, 6, 15, 22, 14]

    /// The kernel's first timeout of a segment.
    static let retransmission = Interval.milliseconds(300)

    /// How an upstream behaves now.
    private func character(of upstream: Int) -> UpstreamCharacter {
        if isFair { return UpstreamCharacter() }
        var character = plan.characters[upstream]
        for phase in plan.phases { phase.apply(to: &character, of: upstream, at: awake) }
        return character
    }

    private func milliseconds(_ most: Int) -> Interval { .milliseconds(1 + chance.below(Int64(max(1, most)))) }

    // MARK: Streams

    /// The weather has cleared: what was lost on streams arrives after all, and nobody refuses what was begun before.
    func clearStreams() {
        epoch += 1
        for id in sortedConnections() {
            guard let open = world.connections[id] else { continue }
            if open.isConnecting { schedule(milliseconds(20), .connect(id)) }
            if !open.transport.isStream { continue }
            let owed = (Array(open.queries.values) + Array(open.requests.values)).filter { $0.answeredAt == nil }
            for query in owed.sorted(by: { $0.number < $1.number }) {
                schedule(milliseconds(20), .sendAgain(query, .seconds(1)))
            }
        }
    }

    func decideConnect(_ id: ConnectionID, again: Interval = .seconds(1)) {
        guard let open = world.connections[id] else { return }
        let character = character(of: open.upstream)
        let address = world.endpoints[open.upstream].firstIndex(of: open.endpoint) ?? 0
        tell("\(id) to upstream \(open.upstream) (address \(address)) over \(open.network) connects")
        if hasOutage || chance.chance(character.connectSilent) { return }
        if character.isSilent {
            let next = Interval(nanoseconds: again.nanoseconds * 2)
            return schedule(again, .connectAgain(id, next))
        }
        if !isFair, plan.traits[open.upstream].deadAddresses.contains(address) { return }
        let delay = milliseconds(open.transport.isEncrypted ? 2 * character.delay : character.delay)
        if character.isRefusing { return schedule(delay, .lose(id, .refused)) }
        if chance.chance(character.connectFailing) {
            let failures: [TransportFailure] =
                open.transport.isEncrypted
                ? [.refused, .tlsAlert, .handshakeTimedOut, .wrongName, .reset] : [.refused, .hostUnreachable, .reset]
            return schedule(delay, .lose(id, failures[Int(chance.below(Int64(failures.count)))]))
        }
        schedule(delay, .connect(id))
    }

    func connected(_ id: ConnectionID) {
        guard let open = world.connections[id] else { return }
        world.connect(id)
        guard open.transport == .https else { return }
        // Its SETTINGS follow; now and then it changes its mind, or wants no more.
        let capacity = plan.traits[open.upstream].capacity
        schedule(.milliseconds(chance.below(3)), .capacity(id, capacity))
        if chance.chance(10) { schedule(milliseconds(5_000), .capacity(id, 1 + Int(chance.below(Int64(capacity))))) }
        if chance.chance(10) { schedule(milliseconds(10_000), .retire(id)) }
    }

    func decideProbe(_ id: ConnectionID) {
        guard let open = world.connections[id], !open.isForgotten, !hasOutage else { return }
        let character = character(of: open.upstream)
        if !character.isSilent { schedule(milliseconds(character.delay), .hear(id)) }
    }

    /// The peer's idle limit may have passed.
    func endIfIdle(_ id: ConnectionID) {
        guard let open = world.connections[id], let limit = plan.traits[open.upstream].idleLimit,
            world.now - open.usedAt >= limit
        else { return }
        tell("\(id) ended by the peer: idle")
        world.lose(id, .closedByPeer)
    }

    private func noteUsed(_ open: OpenConnection, _ id: ConnectionID) {
        open.usedAt = world.now
        if open.transport.isStream, let limit = plan.traits[open.upstream].idleLimit { schedule(limit, .idle(id)) }
    }

    // MARK: Queries

    /// Gives a query its fate.
    func decide(_ query: OutQuery) {
        tell(
            "#\(query.number) to upstream \(query.upstream) over \(query.network) \(query.connection): \(words(query))")
        if let key = ledgerKey(query), !ledger.noteSent(key, query), !mayShed {
            report("one question too often at one server: \(query.summary)")
        }
        guard let open = world.connections[query.connection] else { return }
        noteUsed(open, query.connection)
        meet(query, open, again: Simulation.retransmission)
    }

    /// The peer gets the query, or not. A stream's segments are sent again by the kernel, twice as late each time.
    func meet(_ query: OutQuery, _ open: OpenConnection, again: Interval) {
        let isDatagram = query.transport == .udp
        if hasOutage {
            if isDatagram { schedule(.zero, .lose(query.connection, .networkUnreachable)) }
            return
        }
        if open.isMute { return }
        if open.isForgotten {
            if isFair || chance.chance(70) { schedule(milliseconds(50), .lose(query.connection, .reset)) }
            return
        }
        let character = character(of: query.upstream)
        if isDatagram, chance.chance(character.sendFailing) {
            return schedule(.zero, .failSend(query, chance.chance(80) ? .noBuffers : .messageTooLong))
        }
        if character.isRefusing {
            return schedule(milliseconds(character.delay), .lose(query.connection, isDatagram ? .refused : .reset))
        }
        if character.isSilent {
            let next = Interval(nanoseconds: again.nanoseconds * 2)
            if !isDatagram { schedule(again, .sendAgain(query, next)) }
            return
        }
        if chance.chance(character.closing) {
            let reasons: [TransportFailure] =
                isDatagram ? [.refused, .hostUnreachable] : [.reset, .closedByPeer, .protocolError]
            let reason = reasons[Int(chance.below(Int64(reasons.count)))]
            schedule(milliseconds(character.delay), .lose(query.connection, reason))
        }
        if isDatagram, chance.chance(character.forged) { forge(query, character) }
        // TCP repeats what got lost; a stream loses little.
        if chance.chance(isDatagram ? character.loss : min(3, character.loss)) { return }
        if query.transport == .https, chance.chance(character.requestFailing) {
            return schedule(milliseconds(character.delay), .failRequest(query, requestFailure()))
        }
        schedule(milliseconds(character.delay), .reply(query, bending(query, character)))
    }

    private func requestFailure() -> RequestFailure {
        let failures: [RequestFailure] = [
            .refused, .reset, .status(500), .status(404), .retryAfter(1), .contentType, .tooLong, .incomplete,
        ]
        return failures[Int(chance.below(Int64(failures.count)))]
    }

    /// Somebody who cannot read the query guesses.
    private func forge(_ query: OutQuery, _ character: UpstreamCharacter) {
        var bending = Bending()
        bending.isPoisoned = true
        bending.otherID = true
        bending.folded = chance.chance(50)
        schedule(milliseconds(character.delay / 2), .reply(query, bending))
    }

    private func bending(_ query: OutQuery, _ character: UpstreamCharacter) -> Bending {
        let isDatagram = query.transport == .udp
        let trait = plan.traits[query.upstream]
        var bending = Bending()
        bending.folded = trait.folds || chance.chance(character.folding)
        bending.hasEDNS = trait.edns == .spoken
        bending.cookieLength = query.transport.isEncrypted ? 0 : trait.cookieLength
        bending.twice = query.transport != .https && chance.chance(character.twice)
        if trait.edns == .refused, query.message.opt != nil {
            bending.rcode = 1
            return bending
        }
        if trait.cookieLength > 0, trait.edns == .spoken, isDatagram, chance.chance(character.badCookie),
            query.message.opt != nil
        {
            bending.rcode = 23
            return bending
        }
        if isDatagram {
            if chance.chance(character.otherQuestion) { bending.other = plan.questions.randomElement(using: &chance) }
            bending.otherID = chance.chance(character.otherID)
            bending.truncated = chance.chance(character.truncated)
        }
        if chance.chance(character.failing) {
            bending.rcode = Simulation.errors[Int(chance.below(6))]
            bending.extendedError = Simulation.extendedErrors[Int(chance.below(6))]
        }
        if chance.chance(character.cut) { bending.cut = 1 + Int(chance.below(40)) }
        if query.transport == .https, chance.chance(20) {
            bending.age = UInt32(chance.below(20))
            if chance.chance(50) { bending.freshness = UInt32(chance.below(60)) }
        }
        return bending
    }

    /// A reply reaches us.
    func reply(_ query: OutQuery, _ bending: Bending) {
        guard let open = world.connections[query.connection], !open.isForgotten else { return }
        let number = number(of: query)
        let question = number.map { plan.questions[$0] } ?? unknown(query)
        let stamp = issues.count
        guard stamp < Int(UInt16.max) else { return report("more answers than there are stamps") }
        var life = question.ttl > bending.age ? question.ttl - bending.age : 0
        if let freshness = bending.freshness { life = min(life, freshness) }
        issues.append(Issue(question: number ?? -1, key: ledgerKey(query), at: world.now, life: life))
        if let number, let rcode = bending.rcode, rcode < 16 { toldErrors[number] |= 1 << UInt32(rcode) }
        let bytes = ReplyComposer.compose(to: query, question, stamp: UInt16(stamp), bending)
        tell("#\(query.number) answered\(words(bending)), stamp \(stamp)")
        noteUsed(open, query.connection)
        query.answeredAt = world.now
        if query.transport == .https {
            world.respond(bytes, to: query, age: bending.age, freshness: bending.freshness)
        } else {
            world.deliver(bytes, on: query.connection)
        }
        if bending.twice {
            var again = bending
            again.twice = false
            schedule(.milliseconds(chance.below(50)), .reply(query, again))
        }
        guard query.transport.isStream else { return }
        let count = streamAnswers[query.connection, default: 0] + 1
        streamAnswers[query.connection] = count
        if count == plan.traits[query.upstream].answersPerStream {
            schedule(.zero, .lose(query.connection, .closedByPeer))
        }
    }

    /// A question of the engine's own: names below the root do not exist, the root has no such data.
    private func unknown(_ query: OutQuery) -> SimulatedQuestion {
        let name = query.message.questions.first?.name.folded.wire ?? [0]
        return SimulatedQuestion(unknown: name, type: query.message.questions.first?.type ?? 1)
    }

    private func words(_ query: OutQuery) -> String { Simulation.words(query.message) }

    /// A question with its flags.
    static func words(_ message: TestMessage) -> String {
        let flags = (message.opt?.dnssecOK == true ? " DO" : "") + (message.flags & 0x0010 != 0 ? " CD" : "")
        return (message.questions.first?.description ?? "?") + flags
    }

    private func words(_ bending: Bending) -> String {
        var words: [String] = []
        if bending.otherID { words.append("another id") }
        if bending.isPoisoned { words.append("forged") }
        if bending.truncated { words.append("truncated") }
        if bending.folded { words.append("case lost") }
        if bending.cut > 0 { words.append("cut by \(bending.cut)") }
        if let rcode = bending.rcode { words.append(TestType.rcodeName(rcode)) }
        if let code = bending.extendedError { words.append("EDE \(code)") }
        if bending.other != nil { words.append("to another question") }
        if !bending.hasEDNS { words.append("no EDNS") }
        return words.isEmpty ? "" : " (" + words.joined(separator: ", ") + ")"
    }
}
