// Which member a query goes to next: the strategy's choice, a hedge beside it, the fallback group, or the end.
//
// What a query costs beyond one sending is drawn from the budget of the upstream that it went to first (ExtraBudget):
// when everybody's queries fail at once, repeating them all would be the storm that keeps the next one down too.

import DNSWire

extension Engine {
    /// Repetitions of a query that are nobody's fault: more would let a peer keep us busy (RFC 9520 3.1).
    static let freeRetryLimit = 6

    /// Goes on with a query that may have nothing under way: the next member, or the end.
    mutating func continueQuery(_ slot: Int, now: Instant, into out: inout ActionBuffer) {
        guard queries.slots[slot].isOpen else { return }
        if now >= queries.slots[slot].deadline { return failQuery(slot, now: now, into: &out) }
        if hasLiveAttempt(slot) { return armQuery(slot) }
        if let until = queries.slots[slot].postponedUntil {
            if now < until { return armQuery(slot) }
            queries.slots[slot].postponedUntil = nil
        }
        // Also when the last member went down under this very query: better than asking the dead in despair.
        fallBackIfDown(slot, now)
        let group = queries.slots[slot].asks
        guard queries.slots[slot].sends < settings.groups[group].attempts,
            let member = chooseMember(slot, group, mustBeWell: false, now)
        else {
            if fallBackIfDown(slot, now) { return continueQuery(slot, now: now, into: &out) }
            // All sendings are used up. What a living upstream still works on may come until the deadline: a name that
            // it must look for takes seconds.
            return isAwaited(slot) ? armQuery(slot) : failQuery(slot, now: now, into: &out)
        }
        guard affords(slot, settings.groups[group].members[member], now) else {
            return postpone(slot, now: now, into: &out)
        }
        ask(slot, group, member, now: now, into: &out)
    }

    /// Sends the query to a member, and to more where the strategy asks several at once.
    private mutating func ask(
        _ slot: Int, _ group: Int, _ member: Int, now: Instant, into out: inout ActionBuffer
    ) {
        let upstream = settings.groups[group].members[member]
        if queries.slots[slot].sends > 0 { pools[upstream].dispatch.failovers += 1 }
        let fanOut = strategies[group].fanOut
        var others: [Int] = []
        queries.slots[slot].tried |= 1 << UInt64(member)
        queries.slots[slot].sends += 1
        if fanOut > 1 {
            for _ in 1..<fanOut {
                guard let other = chooseMember(slot, group, mustBeWell: true, now) else { break }
                queries.slots[slot].tried |= 1 << UInt64(other)
                others.append(other)
            }
        } else if queries.slots[slot].sends == 1 && queries.slots[slot].purpose == .clients {
            queries.slots[slot].hedgeAt = hedgeDelay(group, upstream).map { now + $0 }
        }
        let generation = queries.slots[slot].generation
        let needs = lastResort(slot, member, upstream)
        beginAttempt(slot, group: group, member: member, needs: needs, now: now, into: &out)
        for other in others where queries.slots[slot].isOpen && queries.slots[slot].generation == generation {
            // The first may have failed at once, and the query gone to this one already.
            let network = pools[settings.groups[group].members[other]].settings.transport
            let sent = queries.slots[slot].sendCounts.count(other, network)
            if isUnderWay(slot, group, other) || sent >= SendCounts.limit { continue }
            beginAttempt(slot, group: group, member: other, needs: [], now: now, into: &out)
        }
    }

    /// Two datagrams to an upstream that answers others were lost: the third and last sending (RFC 9520 3.1) goes over
    /// TCP, which mends losses by itself. Not where TCP has just failed: many home routers have none.
    private func lastResort(_ slot: Int, _ member: Int, _ upstream: Int) -> AttemptNeeds {
        let isLast = queries.slots[slot].sendCounts.count(member, .udp) == SendCounts.limit - 1
        guard isLast, pools[upstream].isLossy(since: queries.slots[slot].startedAt) else { return [] }
        return .stream
    }

    /// Whether a member works on the query.
    private func isUnderWay(_ slot: Int, _ group: Int, _ member: Int) -> Bool {
        var attempt = queries.slots[slot].firstAttempt
        while attempt >= 0 {
            let entry = attempts.slots[Int(attempt)]
            if entry.group == group && entry.member == member && !entry.isTimedOut { return true }
            attempt = entry.nextOfQuery
        }
        return false
    }

    /// The last one of several members has not answered yet.
    func hasLiveAttempt(_ slot: Int) -> Bool {
        var attempt = queries.slots[slot].firstAttempt
        while attempt >= 0 {
            if !attempts.slots[Int(attempt)].isTimedOut { return true }
            attempt = attempts.slots[Int(attempt)].nextOfQuery
        }
        return false
    }

    /// Whether another sending of the attempt's query is under way that may still answer.
    func hasOtherLive(_ attempt: Int32) -> Bool {
        var other = queries.slots[Int(attempts.slots[Int(attempt)].query)].firstAttempt
        while other >= 0 {
            if other != attempt && !attempts.slots[Int(other)].isTimedOut { return true }
            other = attempts.slots[Int(other)].nextOfQuery
        }
        return false
    }

    /// Whether a sending is unanswered at an upstream that is not down.
    private func isAwaited(_ slot: Int) -> Bool {
        var attempt = queries.slots[slot].firstAttempt
        while attempt >= 0 {
            let entry = attempts.slots[Int(attempt)]
            if entry.state == .sent && !pools[entry.upstream].health.isDown { return true }
            attempt = entry.nextOfQuery
        }
        return false
    }

    // MARK: - Choosing

    /// The strategy's choice among those who are well and were not asked; all down means: ask anyway, unless a member
    /// that is well is what is wanted.
    mutating func chooseMember(_ slot: Int, _ group: Int, mustBeWell: Bool, _ now: Instant) -> Int? {
        let count = min(settings.groups[group].members.count, 64)
        guard count > 0 else { return nil }
        memberStates.removeAll(keepingCapacity: true)
        for position in 0..<count {
            let pool = settings.groups[group].members[position]
            memberStates.append(pools[pool].memberState(now))
        }
        let all: UInt64 = count == 64 ? .max : (1 << UInt64(count)) - 1
        let barred = barred(slot, group, count)
        if (queries.slots[slot].tried | barred) & all == all {
            if mustBeWell { return nil }
            queries.slots[slot].tried = 0
        }
        let tried = queries.slots[slot].tried | barred
        findCandidates(count, tried, areWell: true)
        if candidates.isEmpty && !mustBeWell { findCandidates(count, tried, areWell: false) }
        guard !candidates.isEmpty else { return nil }
        let nameHash =
            strategies[group].needsStableHash
            ? Engine.stableHash(queries.names, slot, queries.slots[slot].question.nameLength)
            : queries.slots[slot].question.nameHash
        return strategies[group].choose(
            candidates, among: memberStates, nameHash: nameHash, now: now, random: &random)
    }

    private mutating func findCandidates(_ count: Int, _ tried: UInt64, areWell: Bool) {
        candidates.removeAll(keepingCapacity: true)
        for position in 0..<count where tried & (1 << UInt64(position)) == 0 {
            if !areWell || memberStates[position].isEligible { candidates.append(position) }
        }
    }

    /// Members that this query must not go to (again): three sendings are enough, one wait for a place too; one that
    /// sends our queries back, never, except to find out whether it still does.
    private func barred(_ slot: Int, _ group: Int, _ count: Int) -> UInt64 {
        var result = queries.slots[slot].exhausted
        for position in 0..<count {
            let upstream = settings.groups[group].members[position]
            let network = pools[upstream].settings.transport
            let isSpent = queries.slots[slot].sendCounts.count(position, network) >= SendCounts.limit
            if isSpent || (pools[upstream].health.isLooping && group < firstProbeGroup) {
                result |= 1 << UInt64(position)
            }
        }
        return result
    }

    /// The same in every process and after a restart, so that each tier of caches sends a name the same way.
    private static func stableHash(_ names: borrowing ByteStore, _ slot: Int, _ length: Int) -> UInt64 {
        hashName(names, QueryTable.nameOffset(slot), length, seed: (0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344))
    }

    /// Whether nobody of a group may be asked now but in despair.
    func isDown(_ group: Int, _ now: Instant) -> Bool {
        for upstream in settings.groups[group].members
        where !pools[upstream].endpoints.isEmpty && pools[upstream].health.isEligible(now) {
            return false
        }
        return true
    }

    /// Turns to the fallback group while every member of the one that is asked is down. False when there is none.
    @discardableResult
    private mutating func fallBackIfDown(_ slot: Int, _ now: Instant) -> Bool {
        var hasFallenBack = false
        // The settings have no cycles; the bound is for the reader.
        for _ in settings.groups.indices {
            let group = queries.slots[slot].asks
            guard let fallback = settings.groups[group].fallback, isDown(group, now) else { break }
            queries.slots[slot].asks = fallback
            queries.slots[slot].tried = 0
            queries.slots[slot].exhausted = 0
            queries.slots[slot].sends = 0
            queries.slots[slot].sendCounts = SendCounts()
            counters.fallbacks += 1
            hasFallenBack = true
        }
        return hasFallenBack
    }

    // MARK: - The budget

    /// Draws a sending from a budget. The first one of a client's query is free and feeds the budget of the upstream
    /// that it goes to; what follows is paid by that one, whose silence it is due to, wherever it goes.
    private mutating func affords(_ slot: Int, _ upstream: Int, _ now: Instant) -> Bool {
        switch queries.slots[slot].purpose {
        case .probe, .loop, .addresses: return true
        case .refresh(let kind) where queries.slots[slot].payer == nil:
            queries.slots[slot].payer = upstream
            return pools[upstream].extras.take(kind, now)
        case .clients, .refresh: break
        }
        guard let payer = queries.slots[slot].payer else {
            queries.slots[slot].payer = upstream
            pools[upstream].extras.noteFirst()
            return true
        }
        return pools[payer].extras.take(.retransmit, now)
    }

    /// The budget is used up. A refresh is given up: nobody waits for it. A client's query waits for the next token.
    private mutating func postpone(_ slot: Int, now: Instant, into out: inout ActionBuffer) {
        if case .refresh = queries.slots[slot].purpose, queries.slots[slot].sends == 0 {
            return closeQuery(slot, now: now, into: &out)
        }
        queries.slots[slot].postponedUntil = now + .milliseconds(40 + Int64(random.below(20)))
        armQuery(slot)
    }

    // MARK: - Hedging

    /// How long the asked member may take before a second one is asked too; nil = it has all of its time.
    private mutating func hedgeDelay(_ group: Int, _ upstream: Int) -> Interval? {
        guard settings.groups[group].members.count > 1, settings.groups[group].attempts > 1 else { return nil }
        switch settings.groups[group].hedge {
        case .off: return nil
        case .after(let delay): return delay
        case .auto:
            return pools[upstream].isDatagram
                ? pools[upstream].udpLatency.hedgeDelay : pools[upstream].tcpLatency.hedgeDelay
        }
    }

    /// The asked member is late: a second one that is well is asked beside it, if the budget allows.
    mutating func hedge(_ slot: Int, now: Instant, into out: inout ActionBuffer) {
        queries.slots[slot].hedgeAt = nil
        let group = queries.slots[slot].asks
        guard hasLiveAttempt(slot), queries.slots[slot].sends < settings.groups[group].attempts,
            let member = chooseMember(slot, group, mustBeWell: true, now)
        else { return }
        let upstream = settings.groups[group].members[member]
        guard pools[queries.slots[slot].payer ?? upstream].extras.take(.hedge, now) else { return }
        queries.slots[slot].tried |= 1 << UInt64(member)
        queries.slots[slot].sends += 1
        pools[upstream].dispatch.hedges += 1
        beginAttempt(slot, group: group, member: member, needs: [], isHedge: true, now: now, into: &out)
    }

    /// After an error RCODE: asks another member instead, once, if there is one. The attempt is given back then.
    mutating func retryElsewhere(_ attempt: Int32, now: Instant, into out: inout ActionBuffer) -> Bool {
        let slot = Int(attempts.slots[Int(attempt)].query)
        let group = queries.slots[slot].asks
        guard !queries.slots[slot].hasRetriedCode, queries.slots[slot].sends < settings.groups[group].attempts,
            let member = chooseMember(slot, group, mustBeWell: true, now)
        else { return false }
        let upstream = settings.groups[group].members[member]
        // Not drawn from the budget: it is one at most, the one that answered is not ill but useless, and the other may
        // have had no first sendings to earn tokens by.
        queries.slots[slot].hasRetriedCode = true
        queries.slots[slot].tried |= 1 << UInt64(member)
        queries.slots[slot].sends += 1
        pools[upstream].dispatch.failovers += 1
        release(attempt, now: now, into: &out)
        beginAttempt(slot, group: group, member: member, needs: [], now: now, into: &out)
        return true
    }
}
