// The cache of all workers: shards by the hash of the name, each behind its own lock.
//
// Every worker's engine calls it, from its own thread. A shard's lock is held while a reply is copied out of its ring:
// about a tenth of a microsecond; with four shards a worker two seldom meet. Rejected: a cache a worker, which asks
// upstreams once a worker. Entries of one name lie in one shard, so that most lookups take one lock. It must
// never hold two locks at once.

import DNSWire
import Synchronization

/// How a lookup ended.
public enum CacheLookup: Sendable {
    /// The reply was written. `isDue`: it is popular and in the last part of its TTL, to be refreshed; said once.
    case answered(AnswerKind, isDue: Bool)
    /// A stale reply was written, for asking has failed a moment ago.
    case stale(AnswerKind)
    /// Nothing fresh is kept. `hasStale`: `answerStale` would find something.
    case miss(hasStale: Bool)
}

/// Counters of the cache, summed over its shards.
public struct CacheStatistics: Sendable {
    public var entries = 0
    /// Bytes in use, index and ghosts included; never above `limit`.
    public var bytes = 0
    public var limit = 0
    /// Fresh answers given, cached failures included.
    public var hits: UInt64 = 0
    /// Lookups that found nothing to give at once; a stale answer may still have been given later.
    public var misses: UInt64 = 0
    /// Answers given past their end.
    public var staleHits: UInt64 = 0
    /// Hits after which a refresh was due.
    public var dueHits: UInt64 = 0
    public var inserts: UInt64 = 0
    public var evictions: UInt64 = 0
    /// Answers that were too long to be kept.
    public var refused: UInt64 = 0
    public init() {}
}

/// Whole answers by question, bounded in bytes with overhead.
public final class SharedCache: Sendable {
    /// Labels that a name above the question's may have to be looked at as a denial; bounds the work that one query of
    /// 127 labels can cause.
    static let deepestDenial = 16
    /// A shard holds at least this, so that a message of 64 KiB has a place in it.
    private static let smallestShard = 1 << 20

    final class Shard: Sendable {
        let cache: Mutex<MessageCache>
        init(layout: ShardLayout, rules: CacheRules) { cache = Mutex(MessageCache(layout: layout, rules: rules)) }
    }

    /// The secret under which every `Question.nameHash` must be made: workers could not find each other's entries else.
    public let seed: (UInt64, UInt64)
    let shards: [Shard]
    private let shardShift: UInt64
    private let limit: Int
    /// Entries of all shards that deny names; read without a lock before names above are looked for.
    let denials = Atomic<Int>(0)
    private let hasStale: Bool
    /// The raw value of the latest `FailurePardon`; only grows.
    private let pardoned = Atomic<UInt64>(0)

    /// - Parameter seed: from the system's random source; must not be guessable.
    public init(settings: CacheSettings, workers: Int, seed: (UInt64, UInt64)) {
        self.seed = seed
        var bits: UInt64 = 0
        if workers > 1 {
            while 1 << bits < 4 * workers, settings.size >> (bits + 1) >= SharedCache.smallestShard { bits += 1 }
        }
        let layout = ShardLayout(size: max(settings.size, 0) >> bits)
        let count = settings.size >= ShardLayout.smallest ? 1 << Int(bits) : 0
        let rules = CacheRules(settings: settings)
        shards = (0..<count).map { _ in Shard(layout: layout, rules: rules) }
        hasStale = rules.stale > 0
        shardShift = 64 - bits
        limit = count * layout.total
    }

    /// Looks for a fresh answer (the question's own, an NXDOMAIN that covers it, a cached failure) and writes the
    /// reply. Where it is a cached failure and an answer that has ended is kept, the client gets that one.
    public func answer(
        _ question: Question, name: borrowing ByteStore, nameOffset: Int, now: Instant, turn: UInt32,
        writer: ReplyWriter, to query: ClientQuery, into out: inout ActionBuffer
    ) -> CacheLookup {
        if shards.isEmpty { return .miss(hasStale: false) }
        let seconds = now.seconds
        let key = CacheKey(question, nameOffset: nameOffset)
        let looksAbove = mayBeDeniedAbove(question)
        let shard = shard(key.nameHash)
        let first: CacheLookup? = shard.cache.withLock { cache in
            let own =
                cache.answer(
                    key, .ordinary, name: name, now: seconds, turn: turn, writer: writer, to: query, into: &out)
                ?? cache.answer(
                    key, .nameError, name: name, now: seconds, turn: turn, writer: writer, to: query, into: &out)
            if own != nil || looksAbove { return own }
            return cache.answerLast(
                key, name: name, now: seconds, turn: turn, pardon: pardon, writer: writer, to: query, into: &out)
        }
        if let first { return first }
        if denyFromAbove(question, key, name: name, now: seconds, writer: writer, to: query, into: &out) {
            return .answered(.nameError, isDue: false)
        }
        return shard.cache.withLock { cache in
            cache.answerLast(
                key, name: name, now: seconds, turn: turn, pardon: pardon, writer: writer, to: query, into: &out)
        }
    }

    /// Writes the reply from an answer that has ended, not longer ago than `cache.stale`: TTLs of `cache.stale_ttl`,
    /// extended error 3 (19 for an NXDOMAIN), AD cleared. nil when none is kept. What another worker stored since
    /// `answer` missed is given instead, as a fresh answer is.
    public func answerStale(
        _ question: Question, name: borrowing ByteStore, nameOffset: Int, now: Instant, turn: UInt32,
        writer: ReplyWriter, to query: ClientQuery, into out: inout ActionBuffer
    ) -> AnswerKind? {
        if !hasStale || shards.isEmpty { return nil }
        let seconds = now.seconds
        let key = CacheKey(question, nameOffset: nameOffset)
        let shard = shard(key.nameHash)
        if mayBeDeniedAbove(question) {
            let isFresh = shard.cache.withLock { cache in cache.hasFreshAnswer(key, name: name, now: seconds) }
            if !isFresh, denyFromAbove(question, key, name: name, now: seconds, writer: writer, to: query, into: &out) {
                return .nameError
            }
        }
        let found: CacheLookup? = shard.cache.withLock { cache in
            cache.answerStale(key, name: name, now: seconds, turn: turn, writer: writer, to: query, into: &out)
        }
        switch found {
        case .answered(let kind, _), .stale(let kind): return kind
        case .miss, nil: return nil
        }
    }

    /// Failures that were kept up to now count no more, nor does the next one last longer for them: the network or an
    /// upstream is back. It holds at once for all workers; any of them may call it.
    public func forgetFailures(now: Instant) {
        pardoned.max(FailurePardon(until: now).raw, ordering: .relaxed)
    }

    /// Keeps a packed answer (of `AnswerPacker.scratch`) if its lifetime is not 0.
    public func store(
        _ answer: PackedAnswer, _ packed: borrowing ByteStore, question: Question, name: borrowing ByteStore,
        nameOffset: Int, now: Instant
    ) {
        if shards.isEmpty { return }
        let key = CacheKey(question, nameOffset: nameOffset)
        let change = shard(key.nameHash).cache.withLock { cache in
            let before = cache.denials
            cache.keep(answer, packed, key, name: name, now: now.seconds, pardon: pardon)
            return cache.denials - before
        }
        if change != 0 { denials.wrappingAdd(change, ordering: .relaxed) }
    }

    /// A keyed tag of a number, the same in all workers: whoever shows it has seen it from us.
    func tag(_ number: UInt64, _ purpose: UInt64) -> UInt64 {
        // "fleetwin", "loop-tag": words that nothing else hashes under the seed.
        var state = SipHash(key: (seed.0 ^ 0x666c_6565_7477_696e, seed.1 ^ 0x6c6f_6f70_2d74_6167))
        state.append(number)
        state.append(purpose)
        return state.finish()
    }

    /// Sums the shards' counters; takes each lock in turn.
    public func statistics() -> CacheStatistics {
        var sum = CacheStatistics()
        sum.limit = limit
        for shard in shards {
            shard.cache.withLock { cache in
                sum.entries += cache.entries
                sum.bytes += cache.bytesInUse
                sum.hits &+= cache.hits
                sum.misses &+= cache.misses
                sum.staleHits &+= cache.staleHits
                sum.dueHits &+= cache.dueHits
                sum.inserts &+= cache.inserts
                sum.evictions &+= cache.evictions
                sum.refused &+= cache.refused
            }
        }
        return sum
    }

    func shard(_ nameHash: UInt64) -> Shard {
        // The upper bits of the name's hash; the index of a shard uses a mix of all.
        shards[Int(truncatingIfNeeded: nameHash >> shardShift)]
    }

    private var pardon: FailurePardon { FailurePardon(raw: pardoned.load(ordering: .relaxed)) }

    /// With DO the denial would need the proofs of the name itself. The root is never a name above (RFC 8020 2).
    private func mayBeDeniedAbove(_ question: Question) -> Bool {
        !question.dnssecOK && question.labelCount > 1 && denials.load(ordering: .relaxed) > 0
    }

    /// Looks for denials of the names above the question's, the nearest first.
    private func denyFromAbove(
        _ question: Question, _ key: CacheKey, name: borrowing ByteStore, now: UInt32, writer: ReplyWriter,
        to query: ClientQuery, into out: inout ActionBuffer
    ) -> Bool {
        let echoed = EchoedQuestion(question, nameOffset: key.nameOffset)
        var above = key
        var labels = question.labelCount
        while labels > 1 {
            let step = 1 + Int(name[above.nameOffset])
            guard step > 1, step < above.nameLength else { return false }
            above.nameOffset += step
            above.nameLength -= step
            labels -= 1
            if labels > SharedCache.deepestDenial { continue }
            above.nameHash = hashName(name, above.nameOffset, above.nameLength, seed: seed)
            let denied = shard(above.nameHash).cache.withLock { cache in
                cache.deny(echoed, below: above, name: name, now: now, writer: writer, to: query, into: &out)
            }
            if denied { return true }
        }
        return false
    }
}
