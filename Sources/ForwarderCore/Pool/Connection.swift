// One connection toward an upstream (a connected UDP socket or a TCP stream) as the pool sees it, and the slots.

/// Where a connection is in its life.
enum ConnectionState: UInt8 {
    case free
    /// A stream whose connect is under way. Valid transitions: ready, free (failed).
    case connecting
    /// Valid transitions: quarantined, draining, free.
    case ready
    /// Silent for too long: no new query until a byte arrives. Valid transitions: ready, free.
    case quarantined
    /// Past its age or count, or suspected: no new query, closed when nothing is in flight. Valid transitions: free.
    case draining
}

/// A pooled connection.
struct Connection {
    var generation: UInt16 = 0
    var state = ConnectionState.free
    var upstream = 0
    var network = UpstreamTransport.udp
    var openReason = OpenReason.cold
    var openedAt = Instant(nanoseconds: 0)
    /// When it was last written to or heard from; idle time counts from here.
    var usedAt = Instant(nanoseconds: 0)
    var receivedAt: Instant?
    /// When the oldest query was written that nothing was heard since. The silence clock; later sends never move it
    /// (a peer that swallows everything would else look alive as long as we write).
    var silentSince: Instant?
    var timeoutsInRow = 0
    /// A query on it was given up: an answer to an id that is not known any more may be honest.
    var hasAbandoned = false
    var queries = 0
    var responses = 0
    /// Queries after which it is replaced; 0 = no limit.
    var queryLimit = 0
    var agesAt = Instant(nanoseconds: 0)
    /// It met a near miss, and is to be replaced as soon as may be.
    var isSuspect = false
    var inFlight = 0
    var firstAttempt: Int32 = -1
    var lastAttempt: Int32 = -1
    /// Queries that the peer lets run at once (HTTP/2's MAX_CONCURRENT_STREAMS).
    var capacity = Int.max
    /// A PING is out because of this silence.
    var isProbed = false
    /// Index of its address in the pool's, and whether another was tried beside it meanwhile (RFC 8305).
    var address = 0
    var isRaced = false
    /// Why it drains.
    var drainReason = CloseReason.age
    /// The peer's own idle limit, as it said by RFC 7828.
    var announcedIdle: Interval?
}

/// The slots of all connections of a worker.
struct ConnectionTable {
    var slots: [Connection] = []
    private var free: [UInt16] = []

    /// Opens a slot in the given state; nil when 65,535 are open.
    mutating func open(_ state: ConnectionState, upstream: Int, network: UpstreamTransport, now: Instant)
        -> ConnectionID?
    {
        let slot: UInt16
        if let last = free.popLast() {
            slot = last
        } else {
            guard slots.count < Int(UInt16.max) else { return nil }
            slot = UInt16(slots.count)
            slots.append(Connection())
        }
        let generation = slots[Int(slot)].generation &+ 1
        slots[Int(slot)] = Connection()
        slots[Int(slot)].generation = generation
        slots[Int(slot)].state = state
        slots[Int(slot)].upstream = upstream
        slots[Int(slot)].network = network
        slots[Int(slot)].openedAt = now
        slots[Int(slot)].usedAt = now
        return ConnectionID(slot: slot, generation: generation)
    }

    mutating func close(_ id: ConnectionID) {
        slots[Int(id.slot)].state = .free
        free.append(id.slot)
    }

    /// Whether the id still means an open connection.
    func isOpen(_ id: ConnectionID) -> Bool {
        Int(id.slot) < slots.count && slots[Int(id.slot)].generation == id.generation
            && slots[Int(id.slot)].state != .free
    }

    func id(_ slot: Int) -> ConnectionID { ConnectionID(slot: UInt16(slot), generation: slots[slot].generation) }
}
