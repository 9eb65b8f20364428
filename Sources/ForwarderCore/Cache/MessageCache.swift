// One shard of the cache: answers in two rings, an index to find them, ghosts of what was dropped. Bounded in bytes.
//
// SharedCache owns the shards and their locks. Eviction is S3-FIFO (Yang et al., SOSP 2023): new entries pass through a
// small ring, only those asked for again reach the main one, so one pass over many names cannot wash the hot ones out.
// Rejected: LRU (a write to a list a hit), SIEVE (leaves holes between entries of different length). Appending needs
// neither allocator nor free lists. An ended entry stays until its turn comes: MessageCache+Stale gives it in need.

import DNSWire

/// How a shard's bytes are divided.
struct ShardLayout {
    /// Below this the parts have no sensible size, and the cache is off.
    static let smallest = 16 << 10

    let index: Int
    let ghosts: Int
    let small: Int
    let main: Int

    /// One slot for 80 octets of cache: the shortest entries take 96, so buckets of eight seldom overflow. One ghost
    /// for 128 octets, about as many as the main ring has entries, as S3-FIFO wants it.
    init(size: Int) {
        index = size / 10 / 64 * 64
        ghosts = max(64, size / 32 / 64 * 64)
        let entries = (size - index - ghosts) / 64 * 64
        small = entries / 10 / 64 * 64
        main = entries - small
    }

    var total: Int { index + ghosts + small + main }
    /// The longest entry that is kept: one answer must not push out a good part of all others.
    var entryLimit: Int { main / 8 }
}

/// A shard.
struct MessageCache: ~Copyable {
    /// Reinsertions that one insertion may cause before an entry goes in spite of its hits.
    private static let longestSweep = 32

    private let layout: ShardLayout
    let rules: CacheRules
    var store: EntryStore
    private var index: CacheIndex
    private var ghosts: GhostTable
    private var small: EntryRing
    private var main: EntryRing

    private(set) var entries = 0
    /// Entries that deny names: while there are none, nobody need look above a name.
    private(set) var denials = 0
    private(set) var failures = 0
    var hits: UInt64 = 0
    private(set) var dueHits: UInt64 = 0
    var staleHits: UInt64 = 0
    var misses: UInt64 = 0
    private(set) var inserts: UInt64 = 0
    private(set) var evictions: UInt64 = 0
    private(set) var refused: UInt64 = 0

    init(layout: ShardLayout, rules: CacheRules) {
        self.layout = layout
        self.rules = rules
        store = EntryStore(capacity: layout.small + layout.main)
        index = CacheIndex(capacity: layout.index)
        ghosts = GhostTable(capacity: layout.ghosts)
        small = EntryRing(base: 0, capacity: layout.small)
        main = EntryRing(base: layout.small, capacity: layout.main)
    }

    /// Bytes in use, with the index and the ghosts as far as they are resident.
    var bytesInUse: Int { small.used + main.used + index.bytesInUse + ghosts.bytesInUse }

    /// Writes the reply from a fresh entry of `kind` for `key`; nil when there is none.
    mutating func answer(
        _ key: CacheKey, _ kind: EntryKind, name: borrowing ByteStore, now: UInt32, turn: UInt32,
        writer: ReplyWriter, to query: ClientQuery, into out: inout ActionBuffer
    ) -> CacheLookup? {
        guard let entry = find(key, kind, name: name) else { return nil }
        let age = store.age(entry, now: now)
        let lifetime = store.lifetime(entry)
        guard age < lifetime else { return nil }
        store.noteHit(entry)
        hits &+= 1
        var isDue = false
        if rules.prefetch.hits > 0, kind != .failure {
            isDue = store.becomesDue(entry, age: age, lifetime: lifetime, rules.prefetch)
            if isDue { dueHits &+= 1 }
        }
        let block = entry + EntryStore.headerSize
        let isOurs = kind == .failure && !PackedHead.isDeliberate(store.bytes, at: block)
        writer.write(
            store.bytes, at: block, age: age, turn: turn, extendedError: isOurs ? .cachedError : nil,
            type: kind == .nameError ? RecordType(rawValue: key.type) : nil, to: query, into: &out)
        return .answered(PackedHead(store.bytes, at: block).kind, isDue: isDue)
    }

    /// Denies `question` when a fresh NXDOMAIN of the name of `key`, above it, is kept.
    mutating func deny(
        _ question: EchoedQuestion, below key: CacheKey, name: borrowing ByteStore, now: UInt32,
        writer: ReplyWriter, to query: ClientQuery, into out: inout ActionBuffer
    ) -> Bool {
        guard denials > 0, let entry = find(key, .nameError, name: name) else { return false }
        let age = store.age(entry, now: now)
        guard age < store.lifetime(entry) else { return false }
        store.noteHit(entry)
        hits &+= 1
        writer.writeDenial(
            store.bytes, at: entry + EntryStore.headerSize, age: age, question: question, names: name, to: query,
            into: &out)
        return true
    }

    /// Keeps an answer, in place of an older one of the same key.
    /// - Parameter pardon: which failures before it do not count.
    mutating func keep(
        _ answer: PackedAnswer, _ packed: borrowing ByteStore, _ key: CacheKey, name: borrowing ByteStore, now: UInt32,
        pardon: FailurePardon = FailurePardon()
    ) {
        var lifetime = answer.lifetime
        var kind = EntryKind.ordinary
        switch answer.kind {
        case .failure:
            kind = .failure
            if answer.isDeliberate { forgetEnded(key, name: name, now: now) }
            guard let backedOff = failureLifetime(lifetime, key, name: name, now: now, pardon) else { return }
            lifetime = backedOff
        case .nameError:
            if answer.deniesQuestion { kind = .nameError }
            if failures > 0 { forget(key, .failure, name: name) }
        case .positive, .noData:
            if failures > 0 { forget(key, .failure, name: name) }
            // The name exists after all; the denial would hide it from the other types.
            if denials > 0 { forget(key, .nameError, name: name) }
        }
        let size = EntryStore.size(ofAnswer: answer.length)
        let isKept = lifetime > 0 && size <= layout.entryLimit
        if rules.stale > 0, kind != .failure { forgetOlder(key, than: kind, isKept: isKept, name: name, now: now) }
        guard isKept else {
            if lifetime > 0 {
                forget(key, kind, name: name)
                refused &+= 1
            }
            return
        }
        inserts &+= 1
        var frequency: UInt8 = 0
        var intoMain = size > layout.small / 4
        let hash = key.hash(kind)
        if let old = find(key, kind, name: name) {
            frequency = store.frequency(old)
            if store.size(old) == size {
                return store.write(
                    old, size: size, key, kind, answer, packed, lifetime: lifetime, frequency: frequency, now: now)
            }
            intoMain = intoMain || old >= main.base
            remove(old)
        } else if ghosts.recall(hash) {
            intoMain = true
        }
        let entry = claim(size, intoMain: intoMain, now: now)
        store.write(
            entry, size: size, key, kind, answer, packed, lifetime: lifetime, frequency: frequency, now: now)
        entries += 1
        count(kind, 1)
        enter(CacheIndex.slot(hash, entry), hash: hash, now: now)
    }

    /// How long a failure is kept: double the one before it (RFC 9520 3.2). nil while that one is fresh: then this is
    /// the end of a query that was under way already, no new evidence of a lasting failure.
    private mutating func failureLifetime(
        _ configured: UInt32, _ key: CacheKey, name: borrowing ByteStore, now: UInt32, _ pardon: FailurePardon
    ) -> UInt32? {
        // What clients are given meanwhile is stale, but good: no need to ask sooner (RFC 8767 5).
        let first =
            hasAnswer(key, name: name, now: now) ? max(configured, AnswerLifetime.failureBesideAnswer) : configured
        guard failures > 0, let entry = find(key, .failure, name: name), !pardon.covers(store.stored(entry)) else {
            return first
        }
        let age = store.age(entry, now: now)
        let previous = store.lifetime(entry)
        if age < previous { return nil }
        // Forgiven when nothing failed for twice its time since it ended.
        return age - previous <= 2 * previous ? max(first, AnswerLifetime.afterFailure(previous)) : first
    }

    private mutating func count(_ kind: EntryKind, _ change: Int) {
        switch kind {
        case .nameError: denials += change
        case .failure: failures += change
        case .ordinary, .dead: break
        }
    }
}

// MARK: finding and removing

extension MessageCache {
    /// Mutating only so that it is called in place: the shard's fields would be copied for each call else (measured).
    mutating func find(_ key: CacheKey, _ kind: EntryKind, name: borrowing ByteStore) -> Int? {
        let hash = key.hash(kind)
        let bucket = index.bucket(hash)
        if index.isBlank(bucket) { return nil }
        for way in 0..<CacheIndex.ways {
            let slot = index.slot(bucket, way: way)
            guard CacheIndex.hasTag(slot, of: hash), let entry = CacheIndex.place(slot) else { continue }
            if store.matches(entry, key, kind, name: name) { return entry }
        }
        return nil
    }

    mutating func forget(_ key: CacheKey, _ kind: EntryKind, name: borrowing ByteStore) {
        if let entry = find(key, kind, name: name) { remove(entry) }
    }

    /// Takes an entry out of the index and leaves its space to its ring's tail.
    private mutating func remove(_ entry: Int) {
        let hash = store.hash(entry)
        index.replace(CacheIndex.slot(hash, entry), 0, hash: hash)
        bury(entry)
    }

    private mutating func bury(_ entry: Int) {
        entries -= 1
        count(store.kind(entry), -1)
        store.markDead(entry, size: store.size(entry))
    }

    /// Puts a slot into its bucket; a full one gives up its least useful entry.
    private mutating func enter(_ slot: UInt64, hash: UInt64, now: UInt32) {
        let bucket = index.bucket(hash)
        var worst = 0
        var least = Int.max
        for way in 0..<CacheIndex.ways {
            guard let entry = CacheIndex.place(index.slot(bucket, way: way)) else {
                return index.set(slot, bucket, way: way)
            }
            let standing = store.standing(entry, now: now, window: rules.stale)
            let worth = standing.rawValue * 8 + Int(store.frequency(entry)) * 2 + (entry >= main.base ? 1 : 0)
            if worth < least {
                least = worth
                worst = way
            }
        }
        if let entry = CacheIndex.place(index.slot(bucket, way: worst)) {
            evictions &+= 1
            bury(entry)
        }
        index.set(slot, bucket, way: worst)
    }
}

// MARK: making room

extension MessageCache {
    private mutating func claim(_ size: Int, intoMain: Bool, now: UInt32) -> Int {
        if intoMain {
            makeRoomInMain(size, now: now)
            return main.claim(size, in: &store)
        }
        while !small.fits(size) { retireFromSmall(now: now) }
        return small.claim(size, in: &store)
    }

    /// The small ring's oldest entry goes on to the main ring if it was asked for, or if there is room anyway; else it
    /// goes, and is remembered.
    private mutating func retireFromSmall(now: UInt32) {
        let entry = small.tail
        let size = store.size(entry)
        defer { small.dropTail(size) }
        if store.kind(entry) == .dead { return }
        let hash = store.hash(entry)
        let standing = store.standing(entry, now: now, window: rules.stale)
        guard store.frequency(entry) >= toll(standing) || main.fits(size) else {
            // An ended entry proves nothing by its return.
            if standing == .fresh { ghosts.remember(hash) }
            evictions &+= 1
            return remove(entry)
        }
        makeRoomInMain(size, now: now)
        let moved = main.claim(size, in: &store)
        store.bytes.move(entry..<entry + size, to: moved)
        store.setFrequency(0, moved)
        index.replace(CacheIndex.slot(hash, entry), CacheIndex.slot(hash, moved), hash: hash)
    }

    /// Hits that an entry gives up to stay: two of one that only helps in need, more than it can have of a useless one.
    private func toll(_ standing: Standing) -> UInt8 {
        switch standing {
        case .fresh: 1
        case .stale: 2
        case .ended: EntryStore.highestFrequency + 1
        }
    }

    /// Drops from the main ring's tail until `size` octets fit. Entries with hits go round again, for their toll.
    private mutating func makeRoomInMain(_ size: Int, now: UInt32) {
        var reinsertions = 0
        while !main.fits(size) {
            let entry = main.tail
            let length = store.size(entry)
            guard store.kind(entry) != .dead else {
                main.dropTail(length)
                continue
            }
            let frequency = store.frequency(entry)
            let toll = toll(store.standing(entry, now: now, window: rules.stale))
            if frequency >= toll, reinsertions < MessageCache.longestSweep {
                reinsertions += 1
                let hash = store.hash(entry)
                let moved = main.moveTailToHead(length, in: &store)
                store.setFrequency(frequency - toll, moved)
                index.replace(CacheIndex.slot(hash, entry), CacheIndex.slot(hash, moved), hash: hash)
            } else {
                evictions &+= 1
                remove(entry)
                main.dropTail(length)
            }
        }
    }
}

// MARK: the snapshot

extension MessageCache {
    /// Copies what the walk comes to next into the snapshot. True when it has seen the whole shard.
    func copyEntries(_ walk: inout SnapshotWalk, into piece: inout ByteWriter) -> Bool {
        walk.step(through: store, main: main, small: small, into: &piece)
    }

    /// Puts an answer of the snapshot in, into free space only: what came from upstreams since the start is newer, and
    /// must not be replaced or pushed out.
    mutating func restore(
        _ answer: PackedAnswer, _ packed: borrowing ByteStore, _ key: CacheKey, name: borrowing ByteStore,
        age: UInt32, frequency: UInt8, now: UInt32
    ) -> SnapshotFate {
        let kind = answer.kind == .nameError && answer.deniesQuestion ? EntryKind.nameError : .ordinary
        if find(key, kind, name: name) != nil || isContradicted(key, kind, name: name, age: age, now: now) {
            return .superseded
        }
        let size = EntryStore.size(ofAnswer: answer.length)
        let hash = key.hash(kind)
        let bucket = index.bucket(hash)
        let intoMain = main.fits(size)
        guard size <= layout.entryLimit, intoMain || small.fits(size),
            let way = (0..<CacheIndex.ways).first(where: { CacheIndex.place(index.slot(bucket, way: $0)) == nil })
        else { return .crowded }
        let entry = intoMain ? main.claim(size, in: &store) : small.claim(size, in: &store)
        store.write(
            entry, size: size, key, kind, answer, packed, lifetime: answer.lifetime, frequency: frequency,
            now: now &- age)
        entries += 1
        count(kind, 1)
        index.set(CacheIndex.slot(hash, entry), bucket, way: way)
        return .loaded
    }

    /// Whether a younger entry says the opposite: that the name is not there, or that it is, for a type that is asked
    /// for often. (Looking for all types would take as many lookups as there are types.)
    private mutating func isContradicted(
        _ key: CacheKey, _ kind: EntryKind, name: borrowing ByteStore, age: UInt32, now: UInt32
    ) -> Bool {
        if kind == .ordinary {
            guard denials > 0, let denial = find(key, .nameError, name: name) else { return false }
            return store.age(denial, now: now) < age
        }
        var other = key
        for type in [RecordType(rawValue: key.type), .a, .aaaa, .https] {
            other.type = type.rawValue
            if let entry = find(other, .ordinary, name: name), store.age(entry, now: now) < age { return true }
        }
        return false
    }
}
