// From a client's message to a reply at once, or to a question on its way: intake, local, cache, forward.

import DNSWire

extension Engine {
    /// A client's message: one UDP datagram, or one TCP message without its length octets.
    public mutating func clientSent(
        _ message: Span<UInt8>, from client: Client, now: Instant, into out: inout ActionBuffer
    ) {
        counters.queries += 1
        let parsed = parseQuery(message)
        if parsed.problem == .short { return drop(.malformed) }
        if parsed.problem == .isResponse { return drop(.notQuery) }
        var caseMask = CaseMask()
        if parsed.nameLength > 0 {
            caseMask = foldName(message, start: Header.size, length: parsed.nameLength, into: &nameScratch, at: 0)
        }
        let query = remember(parsed, caseMask, client)
        let question = parsed.nameLength > 0 ? self.question(parsed) : nil
        guard access.allows(client.endpoint.address) else {
            return refuse(.refused, .prohibited, question, query, into: &out)
        }
        switch intake.judge(parsed, name: nameScratch) {
        case .drop(let reason): drop(reason)
        case .refuse(let rcode, let extended): refuse(rcode, extended, question, query, into: &out)
        case .minimalAny:
            guard let question else { return drop(.malformed) }
            counters.local += 1
            writer.writeMinimalAny(question: question, name: nameScratch, nameOffset: 0, to: query, into: &out)
        case .identity:
            guard let question else { return drop(.malformed) }
            counters.local += 1
            writer.writeIdentity(question: question, name: nameScratch, nameOffset: 0, to: query, into: &out)
        case .cookieRequest:
            counters.local += 1
            let rcode: ResponseCode = query.cookie?.isWrong == true ? .badCookie : .noError
            writer.writeError(
                rcode, nil, text: "", question: nil, name: nameScratch, nameOffset: 0, to: query, into: &out)
        case .ask:
            guard let question else { return drop(.malformed) }
            answer(question, query, now: now, into: &out)
        }
    }

    private mutating func drop(_ reason: DropReason) { counters.dropped[reason.rawValue] += 1 }

    private mutating func refuse(
        _ rcode: ResponseCode, _ extended: ExtendedErrorCode?, _ question: Question?, _ query: ClientQuery,
        into out: inout ActionBuffer
    ) {
        counters.refused += 1
        writer.writeError(
            rcode, extended, text: "", question: question, name: nameScratch, nameOffset: 0, to: query, into: &out)
    }

    private func remember(_ parsed: ParsedQuery, _ caseMask: CaseMask, _ client: Client) -> ClientQuery {
        let asked = parsed.hasEDNS ? max(512, parsed.udpSize) : 512
        return ClientQuery(
            client: client, id: parsed.id, caseMask: caseMask, opcode: parsed.opcode,
            recursionDesired: parsed.recursionDesired, checkingDisabled: parsed.checkingDisabled,
            authenticData: parsed.authenticData,
            dnssecOK: parsed.dnssecOK, hasEDNS: parsed.hasEDNS,
            wantsKeepalive: parsed.hasKeepalive && client.isStream,
            sizeLimit: client.isStream ? 65_535 : Int(min(asked, max(512, settings.udpPayload))))
    }

    private func question(_ parsed: ParsedQuery) -> Question {
        Question(
            nameLength: parsed.nameLength, labelCount: parsed.labelCount, type: parsed.type,
            recordClass: parsed.recordClass, dnssecOK: parsed.dnssecOK, checkingDisabled: parsed.checkingDisabled,
            group: 0, nameHash: hashName(nameScratch, 0, parsed.nameLength, seed: cache.seed))
    }

    /// local, then cache, then forward.
    private mutating func answer(
        _ question: Question, _ query: ClientQuery, now: Instant, into out: inout ActionBuffer
    ) {
        if let local = specialNames.answer(question, name: nameScratch) {
            counters.local += 1
            return writer.writeLocal(
                local, question: question, name: nameScratch, nameOffset: 0, to: query, into: &out)
        }
        turn &+= 1
        let found = cache.answer(
            question, name: nameScratch, nameOffset: 0, now: now, turn: turn, writer: writer, to: query, into: &out)
        if case .answered = found {
            counters.fromCache += 1
            return
        }
        // RFC 1034 4.3.1: without RD only what is known locally; RFC 8914 code 20 says why.
        guard query.recursionDesired else {
            return refuse(.refused, .notAuthoritative, question, query, into: &out)
        }
        forward(question, query, now: now, into: &out)
    }

    private mutating func forward(
        _ question: Question, _ query: ClientQuery, now: Instant, into out: inout ActionBuffer
    ) {
        let clientKey = ClientLoad.key(query.client.endpoint.address)
        let perClient = settings.maxInflightPerClient
        if isStopping || waiters.count >= waiters.limit
            || (perClient > 0 && clientLoad.count(clientKey) >= perClient)
        {
            return shed(question, query, into: &out)
        }
        let joinKey = settings.coalesce ? Engine.joinKey(question) : 0
        if joinKey != 0, let slot = joins[joinKey], isSame(Int(slot), question) {
            counters.coalesced += 1
            return addWaiter(query, clientKey, to: Int(slot))
        }
        if !openQuery(question, query, clientKey, now: now, into: &out) { shed(question, query, into: &out) }
    }

    /// Opens a slot for a question whose folded name is in `nameScratch`, with its first client, and sends it on its
    /// way. False at the limit.
    mutating func openQuery(
        _ question: Question, _ query: ClientQuery, _ clientKey: UInt64, now: Instant, into out: inout ActionBuffer
    ) -> Bool {
        let joinKey = settings.coalesce ? Engine.joinKey(question) : 0
        guard waiters.count < waiters.limit, let slot = queries.open() else { return false }
        queries.names.copy(from: nameScratch, range: 0..<question.nameLength, to: QueryTable.nameOffset(slot))
        queries.slots[slot].question = question
        queries.slots[slot].startedAt = now
        queries.slots[slot].deadline = now + settings.queryDeadline
        // Two questions under one 64-bit key are not joined; the first keeps the place.
        if joinKey != 0 && joins[joinKey] == nil {
            joins.set(joinKey, UInt32(slot))
            queries.slots[slot].joinKey = joinKey
        }
        addWaiter(query, clientKey, to: slot)
        continueQuery(slot, now: now, into: &out)
        return true
    }

    private mutating func addWaiter(_ query: ClientQuery, _ clientKey: UInt64, to slot: Int) {
        guard let waiter = waiters.add(query, clientKey: clientKey, before: queries.slots[slot].firstWaiter) else {
            return
        }
        queries.slots[slot].firstWaiter = waiter
        if clientKey != 0 { clientLoad.add(clientKey) }
    }

    /// At a limit: what is cached was answered already, this would be new work.
    private mutating func shed(_ question: Question, _ query: ClientQuery, into out: inout ActionBuffer) {
        counters.overloaded += 1
        guard settings.overload == .serverFailure else { return drop(.overload) }
        writer.writeError(
            .serverFailure, .other, text: isStopping ? "shutting down" : "too many queries in flight",
            question: question, name: nameScratch, nameOffset: 0, to: query, into: &out)
    }

    /// What makes two questions one upstream query: everything that the answer depends on.
    static func joinKey(_ question: Question) -> UInt64 {
        var word = UInt64(question.type.rawValue) | UInt64(question.recordClass) << 16 | UInt64(question.group) << 32
        word |= (question.dnssecOK ? 1 << 48 : 0) | (question.checkingDisabled ? 1 << 49 : 0)
        let mixed = (question.nameHash ^ word).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
        return (mixed.high ^ mixed.low) | 1
    }

    private func isSame(_ slot: Int, _ question: Question) -> Bool {
        queries.slots[slot].isOpen && queries.slots[slot].question == question
            && queries.names.equals(QueryTable.nameOffset(slot), nameScratch, 0, count: question.nameLength)
    }
}
