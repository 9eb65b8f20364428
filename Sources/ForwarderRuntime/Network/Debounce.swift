// Many events that come together count as one: the look is taken when they have ended, or after a bounded wait.
//
// NetworkWatch and SystemServers use it: a link that comes up brings a dozen events, and the state in between is of no
// use to anybody. It reads no clock itself.

import ForwarderCore

/// When to look after a series of events.
struct Debounce {
    /// A change takes the system a few milliseconds from its first event to its last.
    static let quiet = Interval.milliseconds(100)
    /// Events that never stop must not keep a change waiting: it has to be over for clients within two seconds.
    static let longest = Interval.milliseconds(500)

    private var firstAt: Instant?
    /// When to look; nil = nothing has come.
    private(set) var dueAt: Instant?

    mutating func note(_ now: Instant) {
        let first = firstAt ?? now
        firstAt = first
        dueAt = min(now + Debounce.quiet, first + Debounce.longest)
    }

    /// Whether it is time to look; begins anew then.
    mutating func take(_ now: Instant) -> Bool {
        guard let dueAt, dueAt <= now else { return false }
        firstAt = nil
        self.dueAt = nil
        return true
    }
}
