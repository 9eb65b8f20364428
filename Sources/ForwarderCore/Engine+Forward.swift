// The table of questions in flight: joining one, opening one, and what happens when the table is full.

import DNSWire

extension Engine {
    /// No fresh answer is kept. Gives a stale one if that is the time for it; else the question goes upstream, together
    /// with an equal one where there is one.
    /// - Parameter caches: false = neither shared nor kept, as a route wants it.
    mutating func forward(
        _ question: Question, _ query: ClientQuery, hasStale: Bool, caches: Bool, now: Instant,
        into out: inout ActionBuffer
    ) {
        var joined = caches ? joinable(question) : nil
        if hasStale, isStaleDue(question, joined, now),
            giveStale(question, query, now: now, into: &out)
        {
            if joined == nil { refresh(question, .refresh, now: now, into: &out) }
            return
        }
        // RFC 1034 4.3.1: without RD only what is known locally; RFC 8914 code 20 says why.
        guard query.recursionDesired else {
            return refuse(.refused, .notAuthoritative, question, query, into: &out)
        }
        // Keyed, so that nobody can choose prefixes that meet in one place of the tables.
        let clientKey = ClientLoad.key(query.client.endpoint.address) ^ cache.seed.0
        let perClient = settings.maxInflightPerClient
        if isStopping || (perClient > 0 && clientLoad.count(clientKey) >= perClient) {
            return shed(question, query, into: &out)
        }
        if waiters.count >= waiters.limit {
            dropImpatient(now: now, into: &out)
            // It may have been the one that made room.
            joined = caches ? joinable(question) : nil
        }
        guard waiters.count < waiters.limit else { return shed(question, query, into: &out) }
        if let joined {
            counters.coalesced += 1
            return join(joined, query, clientKey, hasStale: hasStale, now: now)
        }
        guard let slot = openQuery(question, for: .clients, caches: caches, now: now, into: &out) else {
            return shed(question, query, into: &out)
        }
        addWaiter(query, clientKey, to: slot, now)
        if hasStale { setStaleTimer(slot, now) }
        continueQuery(slot, now: now, into: &out)
    }

    /// Opens a slot for a question whose folded name is in `nameScratch`. nil at the limit. Nobody is told and nothing
    /// is sent: `continueQuery` does that.
    mutating func openQuery(
        _ question: Question, for purpose: QueryPurpose, caches: Bool = true, now: Instant,
        into out: inout ActionBuffer
    ) -> Int? {
        if queries.isFull { dropImpatient(now: now, into: &out) }
        guard let slot = queries.open() else { return nil }
        queries.names.copy(from: nameScratch, range: 0..<question.nameLength, to: QueryTable.nameOffset(slot))
        queries.slots[slot].question = question
        queries.slots[slot].purpose = purpose
        queries.slots[slot].caches = caches
        queries.slots[slot].asks = Int(question.group)
        queries.slots[slot].startedAt = now
        queries.slots[slot].deadline = now + settings.queryDeadline
        if caches && isShared(purpose) {
            let joinKey = settings.coalesce ? Engine.joinKey(question) : 0
            // Two questions under one 64-bit key are not joined; the first keeps the place.
            if joinKey != 0 && joins[joinKey] == nil {
                joins.set(joinKey, UInt32(slot))
                queries.slots[slot].joinKey = joinKey
            }
            patience.append(slot, of: queries)
        }
        return slot
    }

    /// Whether clients may join a query of this purpose. Our own questions are for nobody else.
    private func isShared(_ purpose: QueryPurpose) -> Bool {
        switch purpose {
        case .clients, .refresh: true
        case .addresses, .probe, .loop: false
        }
    }

    /// The query in flight that asks the same.
    func joinable(_ question: Question) -> Int? {
        guard settings.coalesce, let found = joins[Engine.joinKey(question)], isSame(Int(found), question) else {
            return nil
        }
        return Int(found)
    }

    private func isSame(_ slot: Int, _ question: Question) -> Bool {
        queries.slots[slot].isOpen && queries.slots[slot].question == question
            && queries.names.equals(QueryTable.nameOffset(slot), nameScratch, 0, count: question.nameLength)
    }

    /// What makes two questions one upstream query: everything that the answer depends on.
    static func joinKey(_ question: Question) -> UInt64 {
        var word = UInt64(question.type.rawValue) | UInt64(question.recordClass) << 16 | UInt64(question.group) << 32
        word |= (question.dnssecOK ? 1 << 48 : 0) | (question.checkingDisabled ? 1 << 49 : 0)
        word |= UInt64(question.epoch) << 50
        let mixed = (question.nameHash ^ word).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
        return (mixed.high ^ mixed.low) | 1
    }

    private mutating func join(
        _ slot: Int, _ query: ClientQuery, _ clientKey: UInt64, hasStale: Bool, now: Instant
    ) {
        if case .refresh = queries.slots[slot].purpose {
            // Somebody waits now: it is an ordinary query from here on, with all of its time.
            refreshes -= 1
            queries.slots[slot].purpose = .clients
            queries.slots[slot].deadline = now + settings.queryDeadline
        }
        addWaiter(query, clientKey, to: slot, now)
        if hasStale { setStaleTimer(slot, now) }
        armQuery(slot)
    }

    private mutating func addWaiter(_ query: ClientQuery, _ clientKey: UInt64, to slot: Int, _ now: Instant) {
        let first = queries.slots[slot].firstWaiter
        guard let waiter = waiters.add(query, clientKey: clientKey, since: now, before: first) else { return }
        queries.slots[slot].firstWaiter = waiter
        clientLoad.add(clientKey)
    }

    /// At a limit: what is cached was answered already, this would be new work.
    private mutating func shed(_ question: Question, _ query: ClientQuery, into out: inout ActionBuffer) {
        counters.overloaded += 1
        guard settings.overload == .serverFailure else { return drop(.overload) }
        writer.writeError(
            .serverFailure, .other, text: isStopping ? "shutting down" : "too many queries in flight",
            question: question, name: nameScratch, nameOffset: 0, to: query, into: &out)
    }

    /// How long any client waits before it asks again: answering an older query helps nobody (Unbound's
    /// discard-timeout is 1.9 s).
    static let longestPatience = Interval.milliseconds(1_900)

    /// The table is full: what is older than any client's patience makes room first.
    mutating func dropImpatient(now: Instant, into out: inout ActionBuffer) {
        while waiters.count >= waiters.limit || queries.isFull {
            let oldest = patience.popOldest(olderThan: Engine.longestPatience, now: now, of: queries)
            guard let oldest else { return }
            let until = now + Interval(nanoseconds: -Engine.longestPatience.nanoseconds)
            dropWaiters(oldest, until: until, now: now, into: &out)
        }
    }
}
