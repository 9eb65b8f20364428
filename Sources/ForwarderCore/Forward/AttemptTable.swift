// One sending of a query to an upstream, and the table of all of them.
//
// States: waiting (for a place in the pool) -> assigned (to a stream that still connects) -> sent -> gone. An attempt
// that timed out stays where it is until its query ends: its answer may still come first
// (docs/adr/0008-attempts-stay-open.md). Ids are never reused early: when an attempt ends its id becomes a tombstone.

import DNSWire

/// Where an attempt is.
enum AttemptState: UInt8 {
    /// Valid transitions: assigned, sent, gone.
    case waiting
    /// On a stream that connects. Valid transitions: sent, waiting (the stream failed), gone.
    case assigned
    /// Valid transitions: waiting (the connection was lost), gone.
    case sent
    case gone
}

/// What a sending must do differently.
struct AttemptNeeds: OptionSet {
    let rawValue: UInt8
    /// Over TCP although the upstream is a UDP one (TC, near miss, EMSGSIZE).
    static let stream = AttemptNeeds(rawValue: 1)
    /// Not on a connection that may be stale: this query was lost with one already.
    static let fresh = AttemptNeeds(rawValue: 2)
    /// Over TCP with letter case, to verify a loss of it.
    static let verifyCase = AttemptNeeds(rawValue: 4)
    /// It was asked again after BADCOOKIE already.
    static let newCookie = AttemptNeeds(rawValue: 8)
}

/// One sending.
struct Attempt {
    var generation: UInt32 = 0
    var state = AttemptState.gone
    var query: Int32 = -1
    /// The group, the position in it, and the index of the upstream.
    var group = 0
    var member = 0
    var upstream = 0
    var network = UpstreamTransport.udp
    var needs: AttemptNeeds = []
    var connection = ConnectionID(slot: 0, generation: 0)
    var messageID: UInt16 = 0
    var caseBits: UInt64 = 0
    var hasEDNS = true
    var submittedAt = Instant(nanoseconds: 0)
    var sentAt = Instant(nanoseconds: 0)
    var timeoutAt = Instant(nanoseconds: 0)
    /// Its answer came (whether it could be used or not): nothing more is owed under its id.
    var isAnswered = false
    /// Sent beside another one that was late.
    var isHedge = false
    /// Its timer has run out; only its answer is still awaited.
    var isTimedOut = false
    /// Stands in its pool's queue.
    var isQueued = false
    /// The local send queue was full: send again at `timeoutAt`, at nobody's cost.
    var wasUnsent = false
    // Lists: of the query, of the connection.
    var nextOfQuery: Int32 = -1
    var nextOnConnection: Int32 = -1
    var previousOnConnection: Int32 = -1
}

/// An attempt whose connection is gone and whose fate is not decided yet.
struct Orphan {
    var id: AttemptID
    /// It had been sent, so its connection may have been stale.
    var wasSent: Bool
}

/// The slots of all attempts.
struct AttemptTable {
    var slots: [Attempt] = []
    private var free: [Int32] = []
    private(set) var count = 0

    mutating func open() -> Int32 {
        count += 1
        if let slot = free.popLast() {
            let generation = slots[Int(slot)].generation &+ 1
            slots[Int(slot)] = Attempt()
            slots[Int(slot)].generation = generation
            return slot
        }
        slots.append(Attempt())
        return Int32(slots.count - 1)
    }

    mutating func close(_ slot: Int32) {
        slots[Int(slot)].state = .gone
        slots[Int(slot)].query = -1
        free.append(slot)
        count -= 1
    }

    func id(_ slot: Int32) -> AttemptID {
        AttemptID(slot: UInt32(slot), generation: slots[Int(slot)].generation)
    }

    /// The slot that an id means, if it still means one.
    func find(_ id: AttemptID) -> Int32? {
        guard Int(id.slot) < slots.count, slots[Int(id.slot)].generation == id.generation,
            slots[Int(id.slot)].state != .gone
        else { return nil }
        return Int32(id.slot)
    }
}
