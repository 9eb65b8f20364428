// Replies that are held back for a moment: a client's burst is not answered in one burst.
//
// Queries saved up over seconds and answered all at once make a weapon of us (DNSBomb, CVE-2024-33655). So a client
// that may be forged gets replies which had to wait in small portions. Streams, loopback addresses and clients that
// have proved their address by a cookie are not paced, nor is any answer that came at once.

import DNSWire

/// A packed answer whose clients have not all got it yet.
struct HeldReply {
    var block: [UInt8]
    /// A stale answer hides it, while one is kept.
    var isHidden = false
}

/// The answers that are held, by the place that their query knows.
struct HeldReplies {
    /// Octets of all blocks. What comes on top is dropped: only an attack saves up so much.
    static let octetLimit = 4 << 20

    private var places: [HeldReply] = []
    private var free: [Int] = []
    private var octets = 0

    /// nil at the bound.
    mutating func add(_ reply: HeldReply) -> Int? {
        guard octets + reply.block.count <= Self.octetLimit else { return nil }
        octets += reply.block.count
        if let place = free.popLast() {
            places[place] = reply
            return place
        }
        places.append(reply)
        return places.count - 1
    }

    subscript(place: Int) -> HeldReply { places[place] }

    mutating func remove(_ place: Int) {
        octets -= places[place].block.count
        places[place].block = []
        free.append(place)
    }
}

extension Engine {
    /// Replies to queries older than this are paced.
    static let pacedAfter = Interval.milliseconds(200)

    /// Whether this client has had its portion of this moment.
    mutating func isPaced(_ waiter: Waiter, _ now: Instant) -> Bool {
        guard !waiter.query.client.isStream, waiter.query.cookie?.isValid != true,
            !waiter.query.client.endpoint.address.isLoopback
        else { return false }
        return !pacer.allows(waiter.clientKey, now: now)
    }

    /// The end of a query, unless replies are held back: then of everything but them. The answer lies in
    /// `packer.scratch`, `length` octets.
    /// - Parameter isHidden: it is an error, and the clients get a stale answer instead.
    mutating func endQuery(
        _ slot: Int, _ length: Int, isHidden: Bool, now: Instant, into out: inout ActionBuffer
    ) {
        guard queries.slots[slot].firstWaiter >= 0 else { return closeQuery(slot, now: now, into: &out) }
        var block = [UInt8](repeating: 0, count: length)
        for index in 0..<length { block[index] = packer.scratch[index] }
        guard let place = heldReplies.add(HeldReply(block: block, isHidden: isHidden)) else {
            return dropWaiters(slot, now: now, into: &out)
        }
        counters.paced += 1
        letGo(slot, now: now, into: &out)
        queries.slots[slot].held = place
        queries.slots[slot].heldUntil = now + ReplyPacer.window
        armQuery(slot)
    }

    /// The next portion of the replies that were held back. A second past the deadline nobody waits for one any more.
    mutating func giveHeld(_ slot: Int, now: Instant, into out: inout ActionBuffer) {
        guard let place = queries.slots[slot].held else { return closeQuery(slot, now: now, into: &out) }
        if !heldReplies[place].isHidden || !giveStaleToAll(slot, now: now, into: &out) {
            packer.restore(heldReplies[place].block)
            counters.fromUpstream += UInt64(replyToAll(slot, now: now, into: &out))
        }
        guard queries.slots[slot].firstWaiter >= 0 else { return closeQuery(slot, now: now, into: &out) }
        let end = queries.slots[slot].startedAt + settings.queryDeadline + .seconds(1)
        guard now < end else { return dropWaiters(slot, now: now, into: &out) }
        queries.slots[slot].heldUntil = now + ReplyPacer.window
        armQuery(slot)
    }
}
