// Writes the cache's snapshot, a piece at a time: head and groups, chunks of records, the end mark.
//
// The runtime's snapshot thread calls it and moves the pieces to the file. It takes the shards' locks one at a time,
// each for one step of the walk. It must never write failures (the next start is another try), nor answers of hidden
// groups.

import DNSWire

/// A snapshot being written.
public struct SnapshotWriter: ~Copyable {
    private enum Stage { case head, chunks, end, done }

    private let cache: SharedCache
    private let identities: [[UInt8]]
    private let wallClock: Int64
    private var walk: SnapshotWalk
    private var shard = 0
    private var stage = Stage.head
    private var checksum = SnapshotChecksum()
    private var piece = ByteWriter(
        capacity: SnapshotFormat.longestChunk + SnapshotFormat.chunkHeadSize,
        limit: SnapshotFormat.longestChunk + SnapshotFormat.chunkHeadSize)

    /// - Parameters:
    ///   - now: ages are counted up to here.
    ///   - wallClock: the same moment in seconds since 1970.
    public init(cache: SharedCache, settings: EngineSettings, now: Instant, wallClock: Int64) {
        self.cache = cache
        self.wallClock = wallClock
        let groups = SnapshotGroups(settings)
        identities = groups.identities
        walk = SnapshotWalk(groups: groups.places, stale: settings.cache.stale, now: now.seconds)
    }

    /// Records written so far.
    public var recordCount: Int { Int(walk.recordCount) }

    /// Makes the next piece. False when there is none, for the file is whole.
    public mutating func advance() -> Bool {
        piece.truncate(to: 0)
        switch stage {
        case .head:
            writeHead()
            stage = .chunks
        case .chunks:
            writeChunk()
        case .end:
            writeEnd()
            stage = .done
        case .done: return false
        }
        return true
    }

    /// Lends the piece that `advance` made.
    public func withPiece<R: ~Copyable, E: Error>(_ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R {
        try piece.withSpan(0, piece.count, body)
    }

    private mutating func writeHead() {
        piece.append32(SnapshotFormat.magic.0)
        piece.append32(SnapshotFormat.magic.1)
        piece.append32(SnapshotFormat.version)
        piece.append32(UInt32(truncatingIfNeeded: identities.reduce(2) { $0 + 2 + $1.count }))
        piece.append32(UInt32(truncatingIfNeeded: wallClock >> 32))
        piece.append32(UInt32(truncatingIfNeeded: wallClock))
        piece.append32(0)
        piece.append16(UInt16(truncatingIfNeeded: identities.count))
        for identity in identities {
            piece.append16(UInt16(truncatingIfNeeded: identity.count))
            piece.append(identity.span, 0..<identity.count)
        }
        seal(at: SnapshotFormat.headChecksumOffset)
    }

    /// Fills the piece with records. Without any it becomes the end mark.
    private mutating func writeChunk() {
        piece.appendZeros(SnapshotFormat.chunkHeadSize)
        let before = walk.recordCount
        while shard < cache.shards.count, piece.count < SnapshotFormat.chunkGoal {
            if cache.copyEntries(ofShard: shard, &walk, into: &piece) {
                shard += 1
                walk.restart()
            }
        }
        if shard == cache.shards.count { stage = .end }
        guard piece.count > SnapshotFormat.chunkHeadSize else {
            piece.truncate(to: 0)
            stage = .done
            return writeEnd()
        }
        piece.store32(UInt32(truncatingIfNeeded: piece.count - SnapshotFormat.chunkHeadSize), at: 0)
        piece.store32(walk.recordCount &- before, at: 4)
        seal(at: SnapshotFormat.chunkChecksumOffset)
    }

    private mutating func writeEnd() {
        piece.append32(0)
        piece.append32(walk.recordCount)
        piece.append32(0)
        seal(at: SnapshotFormat.chunkChecksumOffset)
    }

    /// Writes the checksum of the piece, its own four octets left out.
    private mutating func seal(at offset: Int) {
        checksum.begin()
        piece.withSpan(0, piece.count) { bytes in
            checksum.add(bytes.extracting(0..<offset))
            checksum.add(bytes.extracting(offset + 4..<bytes.count))
        }
        piece.store32(checksum.value, at: offset)
    }
}
