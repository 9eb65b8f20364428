// What a shard gives when nothing fresh is kept: an answer that has ended, a cached failure, or nothing.
//
// SharedCache calls it after the fresh entries and the denials of names above were looked for. It must never give an
// answer while a later one of the same name said something else, nor one that ended longer ago than `cache.stale`.
// RFC 8767 4 and 5, RFC 9520 3.2.

import DNSWire

extension MessageCache {
    /// An entry that answers a question, fresh or not.
    private struct Candidate {
        var entry: Int
        var kind: EntryKind
        var isFresh: Bool
    }

    /// The end of a lookup. A failure of a moment ago means not to ask now: then it is the stale answer at once, or the
    /// failure where there is none. Everything else is a miss. Never inlined: the code of hits is shorter without it.
    @inline(never)
    mutating func answerLast(
        _ key: CacheKey, name: borrowing ByteStore, now: UInt32, turn: UInt32, pardon: FailurePardon,
        writer: ReplyWriter, to query: ClientQuery, into out: inout ActionBuffer
    ) -> CacheLookup {
        let candidate = candidate(key, name: name, now: now)
        if let candidate, candidate.isFresh || isFailing(key, name: name, now: now, pardon) {
            return give(candidate, key, name: name, now: now, turn: turn, writer: writer, to: query, into: &out)
        }
        if candidate == nil, isFailing(key, name: name, now: now, pardon),
            let failure = answer(key, .failure, name: name, now: now, turn: 0, writer: writer, to: query, into: &out)
        {
            return failure
        }
        misses &+= 1
        return .miss(hasStale: candidate != nil)
    }

    /// Writes the reply from a stale answer. A fresh one that another worker stored meanwhile is better still. nil when
    /// there is neither.
    mutating func answerStale(
        _ key: CacheKey, name: borrowing ByteStore, now: UInt32, turn: UInt32, writer: ReplyWriter,
        to query: ClientQuery, into out: inout ActionBuffer
    ) -> CacheLookup? {
        guard let candidate = candidate(key, name: name, now: now) else { return nil }
        return give(candidate, key, name: name, now: now, turn: turn, writer: writer, to: query, into: &out)
    }

    /// Whether an answer is kept that may be given, be it stale.
    mutating func hasAnswer(_ key: CacheKey, name: borrowing ByteStore, now: UInt32) -> Bool {
        candidate(key, name: name, now: now) != nil
    }

    /// Whether the question's own answer is fresh.
    mutating func hasFreshAnswer(_ key: CacheKey, name: borrowing ByteStore, now: UInt32) -> Bool {
        candidate(key, name: name, now: now)?.isFresh == true
    }

    /// Makes sure that what a new answer contradicts is not given later as stale: the older answer to the question when
    /// the new one is not kept itself (its TTL is 0, it is too long), or when the name does not exist any more. One
    /// that is fresh keeps its TTL beside a denial.
    mutating func forgetOlder(
        _ key: CacheKey, than kind: EntryKind, isKept: Bool, name: borrowing ByteStore, now: UInt32
    ) {
        guard kind == .nameError || !isKept, let older = find(key, .ordinary, name: name) else { return }
        if !isKept || !store.isFresh(older, now: now) { forget(key, .ordinary, name: name) }
    }

    /// The upstream means the error that it answers with: from then on nothing older is given in its place, not to the
    /// next client either. What is fresh keeps its TTL.
    mutating func forgetEnded(_ key: CacheKey, name: borrowing ByteStore, now: UInt32) {
        if let older = find(key, .ordinary, name: name), !store.isFresh(older, now: now) {
            forget(key, .ordinary, name: name)
        }
        if denials > 0, let denial = find(key, .nameError, name: name), !store.isFresh(denial, now: now) {
            forget(key, .nameError, name: name)
        }
    }

    /// The answer that holds for a question. A fresh one is the question's own before the name's denial, as in any
    /// lookup; of ended ones only the one that was stored last counts, even if it may not be given any more and the
    /// other could be.
    private mutating func candidate(_ key: CacheKey, name: borrowing ByteStore, now: UInt32) -> Candidate? {
        if rules.stale == 0 { return nil }
        let own = find(key, .ordinary, name: name)
        if let own, store.isFresh(own, now: now) { return Candidate(entry: own, kind: .ordinary, isFresh: true) }
        let denial = denials > 0 ? find(key, .nameError, name: name) : nil
        if let denial, store.isFresh(denial, now: now) {
            return Candidate(entry: denial, kind: .nameError, isFresh: true)
        }
        var latest: Candidate?
        if let own { latest = Candidate(entry: own, kind: .ordinary, isFresh: false) }
        if let denial {
            // In the same second the denial came last: an answer with records would have removed it.
            let isLater = own.map { Int32(bitPattern: store.stored(denial) &- store.stored($0)) >= 0 } ?? true
            if isLater { latest = Candidate(entry: denial, kind: .nameError, isFresh: false) }
        }
        guard let latest, store.standing(latest.entry, now: now, window: rules.stale) == .stale else { return nil }
        return latest
    }

    private mutating func isFailing(
        _ key: CacheKey, name: borrowing ByteStore, now: UInt32, _ pardon: FailurePardon
    ) -> Bool {
        guard failures > 0, let entry = find(key, .failure, name: name) else { return false }
        return store.isFresh(entry, now: now) && !pardon.covers(store.stored(entry))
    }

    private mutating func give(
        _ candidate: Candidate, _ key: CacheKey, name: borrowing ByteStore, now: UInt32, turn: UInt32,
        writer: ReplyWriter, to query: ClientQuery, into out: inout ActionBuffer
    ) -> CacheLookup {
        let type = candidate.kind == .nameError ? RecordType(rawValue: key.type) : nil
        let block = candidate.entry + EntryStore.headerSize
        let kind = PackedHead(store.bytes, at: block).kind
        store.noteHit(candidate.entry)
        guard !candidate.isFresh else {
            hits &+= 1
            writer.write(
                store.bytes, at: block, age: store.age(candidate.entry, now: now), turn: turn, extendedError: nil,
                type: type, to: query, into: &out)
            return .answered(kind, isDue: false)
        }
        staleHits &+= 1
        writer.writeStale(
            store.bytes, at: block, timeToLive: rules.staleTTL, turn: turn, type: type, to: query, into: &out)
        return .stale(kind)
    }
}
