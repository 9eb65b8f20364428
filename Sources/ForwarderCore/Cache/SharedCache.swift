// The cache of all workers: shards, each behind its own lock.

import DNSWire
import Synchronization

/// How a lookup ended.
public enum CacheLookup: Sendable {
    /// The reply was written.
    case answered(AnswerKind)
    case miss
}

/// Counters of the cache, summed over its shards.
public struct CacheStatistics: Sendable {
    public var entries = 0
    public var bytes = 0
    public var limit = 0
    public var hits: UInt64 = 0
    public var misses: UInt64 = 0
    public var inserts: UInt64 = 0
    public var evictions: UInt64 = 0
    public init() {}
}

/// Whole answers by question, bounded in bytes with overhead.
public final class SharedCache: Sendable {
    public let seed: (UInt64, UInt64)
    public init(settings: CacheSettings, workers: Int, seed: (UInt64, UInt64)) { self.seed = seed }

    /// Looks for a fresh answer (the question's own, an NXDOMAIN that covers it, a cached failure) and writes the reply.
    public func answer(
        _ question: Question, name: borrowing ByteStore, nameOffset: Int, now: Instant, turn: UInt32,
        writer: ReplyWriter, to query: ClientQuery, into out: inout ActionBuffer
    ) -> CacheLookup { fatalError("H2") }

    /// Keeps a packed answer (of `AnswerPacker.scratch`) if its lifetime is not 0.
    public func store(
        _ answer: PackedAnswer, _ packed: borrowing ByteStore, question: Question, name: borrowing ByteStore,
        nameOffset: Int, now: Instant
    ) { fatalError("H2") }

    public func statistics() -> CacheStatistics { fatalError("H2") }
}
