// The open requests of one HTTP/2 session: which stream is which attempt.
//
// nghttp2 keeps the slot as a stream's user value, and the stream's id is compared, so a frame that comes late finds
// nothing instead of a stranger's query. Slots are used again: a query allocates nothing here unless its answer comes
// in pieces. Used by HTTP2Session only.

import ForwarderCore

/// One request under way.
struct RequestStream {
    var attempt = AttemptID(slot: 0, generation: 0)
    /// 0 = a free slot.
    var id: Int32 = 0
    var head = ResponseHead()
    /// What has come of a body that did not come at once.
    var body: [UInt8] = []
    /// The request's body when flow control or the peer's limit of streams held it back.
    var unsent: [UInt8] = []
    /// Octets of the request's body that were taken.
    var sentCount = 0
    var messageCount = 0
    fileprivate var nextFree: Int32 = -1

    /// Whether the request's body still waits.
    var isSending: Bool { sentCount < messageCount }
}

/// The table of open requests.
struct RequestStreams {
    /// The most requests at once, whatever the peer allows.
    static let limit = 1_024
    /// How many slots an idle session keeps.
    static let idleLimit = 8

    private var slots: [RequestStream] = []
    private var firstFree: Int32 = -1
    private(set) var openCount = 0

    /// Takes a slot for `attempt`; nil when all are taken.
    mutating func open(_ attempt: AttemptID) -> Int? {
        var slot = Int(firstFree)
        if slot >= 0 {
            firstFree = slots[slot].nextFree
        } else {
            guard slots.count < RequestStreams.limit else { return nil }
            slot = slots.count
            slots.append(RequestStream())
        }
        slots[slot].attempt = attempt
        openCount += 1
        return slot
    }

    /// Frees a slot and the memory of its bodies.
    mutating func close(_ slot: Int) {
        slots[slot] = RequestStream()
        slots[slot].nextFree = firstFree
        firstFree = Int32(slot)
        openCount -= 1
    }

    /// Gives the memory of a burst back: an idle connection shall be small.
    mutating func shrink() {
        guard openCount == 0 && slots.count > RequestStreams.idleLimit else { return }
        slots = []
        firstFree = -1
    }

    /// Whether the slot holds the stream `id`.
    func holds(_ slot: Int, id: Int32) -> Bool { slot >= 0 && slot < slots.count && id > 0 && slots[slot].id == id }

    /// The slot of an attempt. A walk: cancelling is rare, and the table small.
    func slot(of attempt: AttemptID) -> Int? { slots.firstIndex { $0.id > 0 && $0.attempt == attempt } }

    var all: Range<Int> { 0..<slots.count }

    subscript(slot: Int) -> RequestStream {
        // Not `_read`: unoptimised, a field of what is yielded is read after it was freed (address sanitizer).
        get { slots[slot] }
        _modify { yield &slots[slot] }
    }
}
