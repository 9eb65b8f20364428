// Replies that are held back for a moment: a client's burst is not answered in one burst.
//
// Queries saved up over seconds and answered all at once make a weapon of us (DNSBomb, CVE-2024-33655). So a client
// that may be forged gets replies which had to wait in small portions. Streams, loopback addresses and clients that
// have proved their address by a cookie are not paced, nor is any answer that came at once.

import DNSWire

/// A packed answer whose clients have not all got it yet.
struct HeldReply {
    var slot: Int
    var block: [UInt8]
    /// A stale answer hides it, while one is kept.
    var isHidden = false
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
        heldReplies.append(HeldReply(slot: slot, block: block, isHidden: isHidden))
        counters.paced += 1
        letGo(slot, now: now, into: &out)
        queries.slots[slot].heldUntil = now + ReplyPacer.window
        armQuery(slot)
    }

    /// The next portion of the replies that were held back.
    mutating func giveHeld(_ slot: Int, now: Instant, into out: inout ActionBuffer) {
        guard let held = heldReplies.firstIndex(where: { $0.slot == slot }) else {
            queries.slots[slot].heldUntil = nil
            return closeQuery(slot, now: now, into: &out)
        }
        if !heldReplies[held].isHidden || !giveStaleToAll(slot, now: now, into: &out) {
            packer.restore(heldReplies[held].block)
            counters.fromUpstream += UInt64(replyToAll(slot, now: now, into: &out))
        }
        if queries.slots[slot].firstWaiter >= 0 {
            queries.slots[slot].heldUntil = now + ReplyPacer.window
            return armQuery(slot)
        }
        closeQuery(slot, now: now, into: &out)
    }
}
