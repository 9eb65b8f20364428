// The walk over a shard's entries for a snapshot: a bounded step at a time, the lock free between the steps.
//
// Rings move between two steps. Places are therefore numbered from the ring's beginning (`EntryRing.dropped`), and the
// walk goes on at the tail where that has passed it: it may miss what was moved or dropped meanwhile and may meet an
// entry twice, which loading does not mind. It must never look at a place that is not an entry's beginning.

import DNSWire

/// Where a snapshot has got to in one shard, and what it takes.
struct SnapshotWalk {
    /// Octets that one step may copy before its last entry, and entries that it may pass over: so long a reply may have
    /// to wait for the shard's lock.
    static let stepOctets = 32 << 10
    static let stepEntries = 128

    /// By group index: its place in the file's table, nil = not written.
    let groups: [UInt16?]
    /// Seconds past its end that an answer is worth keeping.
    let stale: UInt32
    /// Ages count up to this moment, the one that the file's head names.
    let now: UInt32

    /// Records written so far, over all shards.
    private(set) var recordCount: UInt32 = 0

    private enum Part { case main, small, none }
    private var part = Part.main
    /// Numbers of the next place, and of the ring's head when the walk through it began. nil = it has not begun.
    private var places: (next: UInt64, end: UInt64)?

    init(groups: [UInt16?], stale: UInt32, now: UInt32) {
        self.groups = groups
        self.stale = stale
        self.now = now
    }

    /// Begins anew, with another shard.
    mutating func restart() {
        part = .main
        places = nil
    }

    /// Copies the next entries. True when both rings were passed.
    mutating func step(
        through store: borrowing EntryStore, main: EntryRing, small: EntryRing, into piece: inout ByteWriter
    ) -> Bool {
        switch part {
        case .main:
            if pass(main, store, into: &piece) { part = .small }
        case .small:
            if pass(small, store, into: &piece) { part = .none }
        case .none: break
        }
        return part == .none
    }

    /// Passes over at most a step's worth of `ring`. True at its end.
    private mutating func pass(_ ring: EntryRing, _ store: borrowing EntryStore, into piece: inout ByteWriter) -> Bool {
        let head = ring.dropped &+ UInt64(truncatingIfNeeded: ring.used)
        let end = places?.end ?? head
        var next = places?.next ?? ring.dropped
        // The sign of differences, for the numbers may wrap.
        if Int64(bitPattern: next &- ring.dropped) < 0 { next = ring.dropped }
        let goal = min(piece.count + SnapshotWalk.stepOctets, SnapshotFormat.chunkGoal)
        var entries = 0
        while piece.count < goal, entries < SnapshotWalk.stepEntries {
            guard Int64(bitPattern: end &- next) > 0, Int64(bitPattern: head &- next) > 0 else {
                places = nil
                return true
            }
            let entry = ring.place(behindTail: Int(truncatingIfNeeded: next &- ring.dropped))
            write(entry, store, into: &piece)
            next &+= UInt64(truncatingIfNeeded: max(store.size(entry), EntryStore.unit))
            entries += 1
        }
        places = (next, end)
        return false
    }

    /// Writes the record of an entry that is an answer and of use still.
    private mutating func write(_ entry: Int, _ store: borrowing EntryStore, into piece: inout ByteWriter) {
        let kind = store.kind(entry)
        let group = Int(store.group(entry))
        guard kind == .ordinary || kind == .nameError, group < groups.count, let place = groups[group] else { return }
        let age = store.age(entry, now: now)
        let lifetime = store.lifetime(entry)
        guard UInt64(age) < UInt64(lifetime) + UInt64(stale) else { return }
        let block = entry + EntryStore.headerSize
        let head = PackedHead(store.bytes, at: block)
        guard piece.reserve(SnapshotFormat.recordHeadSize + head.messageLength + head.textLength) else { return }
        var flags = store.flags(entry) | min(store.frequency(entry), 3) << SnapshotFormat.frequencyShift
        if head.extendedError != nil { flags |= SnapshotFormat.errorBit }
        piece.append16(UInt16(truncatingIfNeeded: head.messageLength))
        piece.append(flags)
        piece.append(UInt8(truncatingIfNeeded: head.textLength))
        piece.append16(place)
        piece.append16(head.extendedError ?? 0)
        piece.append32(age)
        piece.append32(lifetime)
        let message = piece.count
        let start = block + PackedHead.messageOffset
        piece.append(store.bytes, start..<start + head.messageLength)
        if head.authenticData {
            piece.store16(
                piece.load16(message + Header.flagsOffset) | Header.authenticData, at: message + Header.flagsOffset)
        }
        let text = block + head.textOffset
        piece.append(store.bytes, text..<text + head.textLength)
        recordCount &+= 1
    }
}
