// The form of the cache's snapshot: a head, the groups, chunks of records, an end mark. The reasons stand in
// docs/adr/0011-snapshot-format.md.
//
// SnapshotWriter makes it, SnapshotReader reads it; the runtime only moves the octets. All numbers are in network
// order. A record holds a DNS message, not an entry as it lies in the cache, so that a file is read with the same
// distrust as a response from the network, by the same code, and outlives changes of the cache's own layout.

import DNSWire

/// Sizes and bounds of the file's parts.
enum SnapshotFormat {
    /// Eight octets: "FWCACHE", line feed (which a transfer as text would change).
    static let magic: (UInt32, UInt32) = (0x4657_4341, 0x4348_450a)
    static let version: UInt32 = 1

    /// Magic, version, length of the group table, seconds since 1970 (64 bits), checksum of all that and the table.
    static let headSize = 28
    static let headChecksumOffset = 24
    /// Length of the records, their number, checksum of both and of the records. A length of 0 is the end mark: its
    /// number is that of all records.
    static let chunkHeadSize = 12
    static let chunkChecksumOffset = 8
    /// Message length, flags, text length, group, extended error, age, lifetime.
    static let recordHeadSize = 16

    /// A chunk is closed when it has this much.
    static let chunkGoal = 64 << 10
    /// The longest record, and what may stand before it in its chunk.
    static let longestRecord = recordHeadSize + 65_535 + PackedHead.textLimit
    static let longestChunk = chunkGoal + longestRecord
    /// Identities of groups that do not fit are left out, and so are their answers.
    static let longestTable = 64 << 10
    /// A file whose time lies further ahead than this was written under a wrong clock, or is read under one.
    static let clockTolerance: Int64 = 86_400

    // Flags of a record: DO and CD as in an entry, then these.
    static let errorBit: UInt8 = 0x10
    static let frequencyShift: UInt8 = 6
}

/// Why a snapshot, or the rest of it, is not used.
public enum SnapshotProblem: Error, Sendable, Equatable {
    /// It is not what was written: the reason in words. What stands before the damage was loaded.
    case damaged(String)
    /// It was written by a newer build, in a form of this number.
    case newer(UInt32)
    /// It bears a time that is still to come, by so many seconds.
    case future(Int64)
}

/// What became of a record.
enum SnapshotFate: Sendable {
    case loaded
    /// A younger answer is there already.
    case superseded
    /// No free space for it.
    case crowded
}

/// Records by what became of them.
public struct SnapshotCounts: Sendable, Equatable {
    public var loaded = 0
    /// Ended, and past `cache.stale` too.
    public var ended = 0
    /// Of groups that are not configured any more.
    public var foreign = 0
    /// A younger answer was there.
    public var superseded = 0
    /// The cache is smaller than the snapshot.
    public var crowded = 0
    /// Not a response that would be kept.
    public var refused = 0
    public init() {}

    public var total: Int { loaded + ended + foreign + superseded + crowded + refused }

    mutating func count(_ fate: SnapshotFate) {
        switch fate {
        case .loaded: loaded += 1
        case .superseded: superseded += 1
        case .crowded: crowded += 1
        }
    }
}
