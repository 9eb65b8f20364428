// Stale answers (RFC 8767): when a client gets one, and how an answer is refreshed while nobody waits.
//
// A stale answer is given only when no fresh one can be had: after `stale_after` without an answer, when asking failed,
// or at once while every upstream of the group is down. The question goes upstream all the same, so that the cache is
// fresh again as soon as it can be.

import DNSWire

extension Engine {
    /// Refreshes in flight, at most: a part of the table that clients need.
    private var refreshLimit: Int { max(16, queries.limit / 8) }

    /// Whether a stale answer is to be given without waiting.
    func isStaleDue(_ question: Question, _ joined: Int?, _ now: Instant) -> Bool {
        if settings.cache.staleAfter <= .zero { return allowsStale(Int(question.group), now) }
        if let joined, queries.slots[joined].isStaleGiven { return true }
        let group = Int(question.group)
        let isHopeless = now < refreshBlockedUntil[group] || isDown(group, now)
        return isHopeless && settings.groups[group].whenDown == .stale
    }

    /// Whether `when_down` lets stale answers be given now.
    func allowsStale(_ group: Int, _ now: Instant) -> Bool {
        settings.cache.stale > 0 && (settings.groups[group].whenDown != .serverFailure || !isDown(group, now))
    }

    /// Writes the stale answer for the client at hand. False when none is kept any more.
    mutating func giveStale(
        _ question: Question, _ query: ClientQuery, now: Instant, into out: inout ActionBuffer
    ) -> Bool {
        turn &+= 1
        let given = cache.answerStale(
            question, name: nameScratch, nameOffset: 0, now: now, turn: turn, writer: writer, to: query, into: &out)
        if given != nil { counters.stale += 1 }
        return given != nil
    }

    /// A client that could have a stale answer waits no longer than `stale_after` for a fresh one.
    mutating func setStaleTimer(_ slot: Int, _ now: Instant) {
        if queries.slots[slot].staleAt == nil { queries.slots[slot].staleAt = now + settings.cache.staleAfter }
    }

    /// `stale_after` is over: all who wait get what is kept, in portions where they are paced. The query goes on, for
    /// the cache.
    mutating func staleDue(_ slot: Int, now: Instant, into out: inout ActionBuffer) {
        queries.slots[slot].staleAt = nil
        guard allowsStale(Int(queries.slots[slot].question.group), now) else { return }
        queries.slots[slot].isStaleGiven = giveStaleToAll(slot, now: now, into: &out)
        if queries.slots[slot].isStaleGiven && queries.slots[slot].firstWaiter >= 0 {
            counters.paced += 1
            queries.slots[slot].staleAt = now + ReplyPacer.window
        }
    }

    /// Gives the stale answer to every client that waits; those that are paced stay in the list. False when none is
    /// kept: then all go on waiting.
    mutating func giveStaleToAll(_ slot: Int, now: Instant, into out: inout ActionBuffer) -> Bool {
        let question = queries.slots[slot].question
        let hasWaited = now - queries.slots[slot].startedAt > Engine.pacedAfter
        var kept: Int32 = -1
        var waiter = queries.slots[slot].firstWaiter
        var isKept = true
        while waiter >= 0 && isKept {
            let following = waiters[waiter].next
            if hasWaited && isPaced(waiters[waiter], now) {
                waiters.link(waiter, before: kept)
                kept = waiter
                waiter = following
                continue
            }
            turn &+= 1
            let given = cache.answerStale(
                question, name: queries.names, nameOffset: QueryTable.nameOffset(slot), now: now, turn: turn,
                writer: writer, to: waiters[waiter].query, into: &out)
            isKept = given != nil
            guard isKept else { break }
            counters.stale += 1
            clientLoad.remove(waiters[waiter].clientKey)
            waiter = waiters.remove(waiter)
        }
        // Where the walk ended early, those passed over go before the rest again.
        while kept >= 0 {
            let following = waiters[kept].next
            waiters.link(kept, before: waiter)
            waiter = kept
            kept = following
        }
        queries.slots[slot].firstWaiter = waiter
        return isKept
    }

    /// Asks for an answer that is kept and has ended, or soon will. The question's name is in `nameScratch`.
    mutating func refresh(
        _ question: Question, _ kind: ExtraKind, now: Instant, into out: inout ActionBuffer
    ) {
        guard !isStopping, now >= refreshBlockedUntil[Int(question.group)], joinable(question) == nil else { return }
        guard refreshes < refreshLimit, waiters.count < waiters.limit / 2 else {
            counters.refreshesRefused += 1
            return
        }
        guard let slot = openQuery(question, for: .refresh(kind), now: now, into: &out) else { return }
        refreshes += 1
        if kind == .prefetch { counters.prefetches += 1 } else { counters.refreshes += 1 }
        continueQuery(slot, now: now, into: &out)
    }
}
