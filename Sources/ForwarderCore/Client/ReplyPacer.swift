// Against answers that were saved up and come in one pulse (DNSBomb, 2024): a client whose queries all hang at a slow
// upstream and are answered together gets its answers in small portions.
//
// The engine asks before it gives a late answer to a client over UDP, and asks again in a later window when it may not.
// Answers from the cache, which go one by one as their queries come, are not paced. It must never be asked about a
// query whose deadline has come: that one is answered or dropped.

/// Counts late replies by client prefix in short windows.
struct ReplyPacer: Sendable {
    /// Late replies to one prefix in one window. With EDNS's usual 1,232 octets that is 32 Mbit/s at the most.
    static let burst: UInt16 = 32
    static let window = Interval.milliseconds(10)
    private static let slotCount = 256

    /// Prefixes that meet in a slot share it: too careful rather than too generous, and no search.
    private struct Slot {
        var window: Int64 = .min
        var given: UInt16 = 0
    }

    private var slots = [Slot](repeating: Slot(), count: slotCount)

    /// Counts one late reply to the client prefix `clientKey` (`ClientLoad.key`); false when the window is full. Then
    /// nothing is counted, and a `window` later another one has begun.
    mutating func allows(_ clientKey: UInt64, now: Instant) -> Bool {
        let product = clientKey.multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
        let place = Int(truncatingIfNeeded: product.high ^ product.low) & (ReplyPacer.slotCount - 1)
        let window = ReplyPacer.number(now)
        // Another window than the slot's, earlier ones after a jump of the clock too, begins anew.
        if slots[place].window != window { slots[place] = Slot(window: window) }
        guard slots[place].given < ReplyPacer.burst else { return false }
        slots[place].given += 1
        return true
    }

    /// Rounded down, before the start of the count too.
    private static func number(_ now: Instant) -> Int64 {
        let (quotient, remainder) = now.nanoseconds.quotientAndRemainder(dividingBy: window.nanoseconds)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
