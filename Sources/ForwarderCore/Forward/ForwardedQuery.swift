// One question on its way upstream, and its table: everything that must be remembered until it is answered.
//
// Clients that ask the same join it; its attempts are sendings to upstreams. A query is found by slot and generation,
// never by closure. The engine alone changes it.

import DNSWire

/// The last thing that went wrong with a query; decides what a client is told when nothing is left to try.
struct QueryFailure {
    var fault = Fault.upstream
    var code = ExtendedErrorCode.noReachableAuthority
    /// Our own machine could not send at all: no route, port, descriptor or buffer.
    var isOfMachine = false
    /// Empty: nobody said anything.
    var text: String = ""
}

/// Whom a question in flight is for.
enum QueryPurpose: Equatable {
    case clients
    /// An answer that is kept has ended, or soon will; nobody waits.
    case refresh(ExtraKind)
    /// The addresses of this upstream's host name.
    case addresses(upstream: Int)
    /// Whether this upstream answers.
    case probe(upstream: Int)
    /// Whether this upstream sends our queries back to us.
    case loop(upstream: Int)
}

/// A question in flight.
struct ForwardedQuery {
    var isOpen = false
    var generation: UInt32 = 0
    var question = Question(
        nameLength: 0, labelCount: 0, type: .a, recordClass: 0, dnssecOK: false, checkingDisabled: false, group: 0,
        nameHash: 0)
    var purpose = QueryPurpose.clients
    /// Whether its answer is kept and shared; a route may forbid it.
    var caches = true
    /// The group whose members are asked: the question's own, or its fallback.
    var asks = 0
    /// Key in the coalescer's table; 0 when the query cannot be joined.
    var joinKey: UInt64 = 0
    var startedAt = Instant(nanoseconds: 0)
    var deadline = Instant(nanoseconds: 0)
    /// Heads of linked lists, -1 = empty.
    var firstWaiter: Int32 = -1
    var firstAttempt: Int32 = -1
    /// Sends that count against `attempts`.
    var sends = 0
    /// Repetitions that are nobody's fault (lost with a reused connection, TC, near miss, no EDNS): bounded too.
    var freeRetries = 0
    /// Times that an HTTP/2 peer refused to look at it.
    var refusals = 0
    /// Members of the group that were asked, by position.
    var tried: UInt64 = 0
    /// Members whose pool had no place within `acquire_timeout`: not waited for again.
    var exhausted: UInt64 = 0
    var sendCounts = SendCounts()
    /// Set after FORMERR or NOTIMP without OPT: this query goes without EDNS (RFC 6891 7).
    var avoidsEDNS = false
    /// Set when letter case got lost and TCP could not tell why: sent folded.
    var avoidsCase = false
    /// An error RCODE has led to another member already: once is enough.
    var hasRetriedCode = false
    /// When a second member is asked beside the one that is late.
    var hedgeAt: Instant?
    /// When the clients get the stale answer that is kept.
    var staleAt: Instant?
    /// They got it; whoever joins gets it at once.
    var isStaleGiven = false
    /// The upstream of its first sending, whose budget pays for the others.
    var payer: Int?
    /// Where its answer is held, and when the next of its clients get it.
    var held: Int?
    var heldUntil: Instant?
    /// The budget of extra queries was used up: not before.
    var postponedUntil: Instant?
    var failure = QueryFailure()
}

/// The slots of all questions in flight, and their folded names.
struct QueryTable: ~Copyable {
    static let nameRoom = 256
    /// The most questions in flight of this worker.
    let limit: Int
    private(set) var count = 0
    private(set) var peak = 0
    var slots: [ForwardedQuery] = []
    /// The name of slot i begins at i * 256.
    var names: ByteStore
    private var free: [Int] = []

    init(limit: Int) {
        self.limit = limit
        names = ByteStore(capacity: limit * QueryTable.nameRoom)
        slots.reserveCapacity(min(limit, 1024))
    }

    var isFull: Bool { count >= limit }

    /// Opens a slot; nil at the limit.
    mutating func open() -> Int? {
        guard count < limit else { return nil }
        let slot: Int
        if let last = free.popLast() {
            slot = last
        } else {
            slot = slots.count
            slots.append(ForwardedQuery())
        }
        let generation = slots[slot].generation &+ 1
        slots[slot] = ForwardedQuery()
        slots[slot].generation = generation
        slots[slot].isOpen = true
        count += 1
        peak = max(peak, count)
        return slot
    }

    mutating func close(_ slot: Int) {
        slots[slot].isOpen = false
        count -= 1
        free.append(slot)
    }

    static func nameOffset(_ slot: Int) -> Int { slot * nameRoom }
}
