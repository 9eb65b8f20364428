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
    public var hits: UInt64 = 0
    public var misses: UInt64 = 0
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
        init(layout: ShardLayout) { cache = Mutex(MessageCache(layout: layout)) }
    }

    /// The secret under which every `Question.nameHash` must be made: workers could not find each other's entries else.
    public let seed: (UInt64, UInt64)
    let shards: [Shard]
    private let shardShift: UInt64
    private let limit: Int
    /// Entries of all shards that deny names; read without a lock before names above are looked for.
    let denials = Atomic<Int>(0)

    /// - Parameter seed: from the system's random source; must not be guessable.
    public init(settings: CacheSettings, workers: Int, seed: (UInt64, UInt64)) {
        self.seed = seed
        var bits: UInt64 = 0
        if workers > 1 {
            while 1 << bits < 4 * workers, settings.size >> (bits + 1) >= SharedCache.smallestShard { bits += 1 }
        }
        let layout = ShardLayout(size: max(settings.size, 0) >> bits)
        let count = settings.size >= ShardLayout.smallest ? 1 << Int(bits) : 0
        shards = (0..<count).map { _ in Shard(layout: layout) }
        shardShift = 64 - bits
        limit = count * layout.total
    }

    /// Looks for a fresh answer (the question's own, an NXDOMAIN that covers it, a cached failure) and writes the
    /// reply.
    public func answer(
        _ question: Question, name: borrowing ByteStore, nameOffset: Int, now: Instant, turn: UInt32,
        writer: ReplyWriter, to query: ClientQuery, into out: inout ActionBuffer
    ) -> CacheLookup {
        if shards.isEmpty { return .miss(hasStale: false) }
        let seconds = now.seconds
        let key = CacheKey(question, nameOffset: nameOffset)
        // With DO the denial would need the proofs of the name itself. The root is never a name above (RFC 8020 2).
        let looksAbove =
            !question.dnssecOK && question.labelCount > 1 && denials.load(ordering: .relaxed) > 0
        let shard = shard(key.nameHash)
        let first: AnswerKind? = shard.cache.withLock { cache in
            let own =
                cache.answer(
                    key, .ordinary, name: name, now: seconds, turn: turn, writer: writer, to: query, into: &out)
                ?? cache.answer(
                    key, .nameError, name: name, now: seconds, turn: turn, writer: writer, to: query, into: &out)
            if own != nil || looksAbove { return own }
            return cache.answerFailure(key, name: name, now: seconds, writer: writer, to: query, into: &out)
        }
        if let first { return .answered(first, isDue: false) }
        guard looksAbove else { return .miss(hasStale: false) }
        if denyFromAbove(question, key, name: name, now: seconds, writer: writer, to: query, into: &out) {
            return .answered(.nameError, isDue: false)
        }
        let failure: AnswerKind? = shard.cache.withLock { cache in
            cache.answerFailure(key, name: name, now: seconds, writer: writer, to: query, into: &out)
        }
        return failure.map { .answered($0, isDue: false) } ?? .miss(hasStale: false)
    }

    /// Writes the reply from an answer that has ended, not longer ago than `cache.stale`: TTLs of `cache.stale_ttl`,
    /// extended error 3 (19 for an NXDOMAIN). nil when none is kept.
    public func answerStale(
        _ question: Question, name: borrowing ByteStore, nameOffset: Int, now: Instant, turn: UInt32,
        writer: ReplyWriter, to query: ClientQuery, into out: inout ActionBuffer
    ) -> AnswerKind? {
        nil
    }

    /// Failures that were kept up to now count no more: the network or an upstream is back.
    public func forgetFailures(now: Instant) {}

    /// Keeps a packed answer (of `AnswerPacker.scratch`) if its lifetime is not 0.
    public func store(
        _ answer: PackedAnswer, _ packed: borrowing ByteStore, question: Question, name: borrowing ByteStore,
        nameOffset: Int, now: Instant
    ) {
        if shards.isEmpty { return }
        let key = CacheKey(question, nameOffset: nameOffset)
        let change = shard(key.nameHash).cache.withLock { cache in
            let before = cache.denials
            cache.keep(answer, packed, key, name: name, now: now.seconds)
            return cache.denials - before
        }
        if change != 0 { denials.wrappingAdd(change, ordering: .relaxed) }
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

extension MessageCache {
    /// The end of a lookup: a cached failure, or a miss that is counted.
    fileprivate mutating func answerFailure(
        _ key: CacheKey, name: borrowing ByteStore, now: UInt32, writer: ReplyWriter, to query: ClientQuery,
        into out: inout ActionBuffer
    ) -> AnswerKind? {
        if failures > 0 {
            let kind = answer(
                key, .failure, name: name, now: now, turn: 0, writer: writer, to: query, into: &out)
            if kind != nil { return kind }
        }
        noteMiss()
        return nil
    }
}
