// The snapshot's way into the shards and out of them: one lock at a time, for one bounded step or one answer.
//
// SnapshotWriter and SnapshotReader call it, from the snapshot's own thread. It must never hold two locks at once.

import DNSWire
import Synchronization

extension SharedCache {
    /// One step of the walk, under the shard's lock. True when the shard was passed.
    func copyEntries(ofShard shard: Int, _ walk: inout SnapshotWalk, into piece: inout ByteWriter) -> Bool {
        shards[shard].cache.withLock { cache in cache.copyEntries(&walk, into: &piece) }
    }

    /// Puts an answer of the snapshot in. Its lock is held as for an answer of an upstream.
    func restore(
        _ answer: PackedAnswer, _ packed: borrowing ByteStore, _ question: Question, name: borrowing ByteStore,
        age: UInt32, frequency: UInt8, now: UInt32
    ) -> SnapshotFate {
        if shards.isEmpty { return .crowded }
        let key = CacheKey(question, nameOffset: 0)
        let (fate, change) = shard(key.nameHash).cache.withLock { cache in
            let before = cache.denials
            let fate = cache.restore(answer, packed, key, name: name, age: age, frequency: frequency, now: now)
            return (fate, cache.denials - before)
        }
        if change != 0 { denials.wrappingAdd(change, ordering: .relaxed) }
        return fate
    }
}
