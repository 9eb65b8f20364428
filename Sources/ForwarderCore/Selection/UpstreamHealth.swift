// Whether an upstream is worth asking, from what its queries met. Passive: no probe is sent, a real query tries.
//
// Only failures of the upstream or the path count, never local ones, never the failure of a name: timeouts of one
// name alone do not condemn the upstream: the servers of that one zone may be dead, and everybody could then take an
// upstream down by asking for a name of his own.

/// The health of one upstream.
struct UpstreamHealth {
    static let failuresToDown = 3
    static let shortestPause = Interval.seconds(1)
    /// Short, so that a recovered upstream is used again within seconds.
    static let longestPause = Interval.seconds(4)

    private(set) var isDown = false
    private var failures = 0
    private var lastFailedName: UInt64 = 0
    private var pause = UpstreamHealth.shortestPause
    private var tryAgainAt = Instant(nanoseconds: 0)
    /// Our own network cannot reach it until then: avoided, but not blamed.
    private var unreachableUntil = Instant(nanoseconds: 0)
    /// What it asked for itself; an answer to an older query does not end it.
    private var awayUntil = Instant(nanoseconds: 0)

    /// Whether a query may be sent there now. While down, one query a pause is let through to try.
    func isEligible(_ now: Instant) -> Bool {
        now >= unreachableUntil && now >= awayUntil && (!isDown || now >= tryAgainAt)
    }

    /// A query was sent: while down, this was the pause's one try.
    mutating func noteSent(_ now: Instant) {
        if isDown && now >= tryAgainAt { tryAgainAt = now + pause }
    }

    /// Any response that belongs to a query, whatever its RCODE. Returns whether the upstream came back.
    mutating func noteAnswer() -> Bool {
        failures = 0
        lastFailedName = 0
        pause = Self.shortestPause
        unreachableUntil = Instant(nanoseconds: 0)
        defer { isDown = false }
        return isDown
    }

    /// A failure that is the upstream's or the path's. Returns whether it went down by it.
    mutating func noteFailure(nameHash: UInt64, _ now: Instant) -> Bool {
        if isDown {
            pause = min(Interval(nanoseconds: pause.nanoseconds * 2), Self.longestPause)
            tryAgainAt = now + pause
            return false
        }
        if nameHash == lastFailedName { return false }
        lastFailedName = nameHash
        failures += 1
        guard failures >= Self.failuresToDown else { return false }
        isDown = true
        tryAgainAt = now + pause
        return true
    }

    mutating func noteUnreachable(_ now: Instant) { unreachableUntil = now + .seconds(1) }

    /// It asked itself to be left alone for a while (Retry-After).
    mutating func noteAway(until: Instant) { awayUntil = max(awayUntil, until) }
}
