// Whether an upstream is worth asking, from what its queries and probes met. The pool of an upstream owns one.
//
// Only failures of the upstream or the path count, never local ones, never the failure of a name: timeouts of one name
// alone do not condemn the upstream: the servers of that one zone may be dead, and everybody could then take an
// upstream down by asking for a name of his own. Penalties fade with time, not with traffic: after a long outage with
// little traffic nothing may be remembered against anybody.

/// The health of one upstream.
struct UpstreamHealth {
    /// One step of the pause is forgotten in so long.
    static let fadeTime = Interval.seconds(30)
    /// While everything is down: "probe each one to two seconds".
    static let outagePause = Interval.milliseconds(1_500)
    /// Between the end of a probe and the next one then, when it took longer than that.
    static let outageRest = Interval.milliseconds(100)

    let settings: HealthSettings
    private(set) var isDown = false
    /// When it went down.
    private(set) var downAt = Instant(nanoseconds: 0)
    /// Our own queries came back from it.
    var isLooping = false
    /// A probe is on its way.
    var isProbing = false
    /// Every upstream is down: no use to wait longer for any of them.
    var isOutage = false
    private var failures = 0
    private var answers = 0
    private var lastFailedName: UInt64 = 0
    /// Doublings of the pause as of `levelAt`.
    private var level: Int64 = 0
    private var levelAt = Instant(nanoseconds: 0)
    private(set) var tryAgainAt = Instant(nanoseconds: 0)
    /// Our own network cannot reach it until then: avoided, but not blamed.
    private var unreachableUntil = Instant(nanoseconds: 0)
    /// What it asked for itself; an answer to an older query does not end it.
    private var awayUntil = Instant(nanoseconds: 0)

    init(settings: HealthSettings) { self.settings = settings }

    var state: HealthState {
        if isLooping { return .looping }
        if isDown { return isProbing ? .probing : .down }
        return failures > 0 ? .shaky : .up
    }

    /// Whether a query may be sent there now. Without probes, one query a pause is let through to try.
    func isEligible(_ now: Instant) -> Bool {
        guard !isLooping, now >= unreachableUntil, now >= awayUntil else { return false }
        return !isDown || (settings.mode == .off && now >= tryAgainAt)
    }

    /// A query was sent: while down, this was the pause's one try.
    mutating func noteSent(_ now: Instant) {
        if isDown && now >= tryAgainAt { tryAgainAt = now + pause(now) }
    }

    /// Any response that belongs to a query, whatever its RCODE. Returns whether the upstream came back.
    mutating func noteAnswer() -> Bool {
        failures = 0
        lastFailedName = 0
        unreachableUntil = Instant(nanoseconds: 0)
        guard isDown else { return false }
        answers += 1
        guard answers >= settings.recoverAfter else {
            // The next probe of several that have to succeed follows at once.
            tryAgainAt = Instant(nanoseconds: 0)
            return false
        }
        isDown = false
        return true
    }

    /// A failure that is the upstream's or the path's. Returns whether it went down by it.
    mutating func noteFailure(nameHash: UInt64, _ now: Instant) -> Bool {
        answers = 0
        if isDown {
            // Queries that are sent there in spite of it, or were under way when it went down, say nothing new, and
            // must not put off the next try.
            if settings.mode == .off && now - levelAt >= pause(now) {
                deepen(now)
                tryAgainAt = now + pause(now)
            }
            return false
        }
        if nameHash == lastFailedName && settings.failAfter > 1 { return false }
        lastFailedName = nameHash
        failures += 1
        guard failures >= settings.failAfter else { return false }
        isDown = true
        downAt = now
        // Asked at once whether it is dead or only those names were; a real query has to wait for its pause.
        tryAgainAt = settings.mode == .off ? now + pause(now) : now
        return true
    }

    /// The probe came to nothing. Only this makes the pauses longer.
    mutating func probeFailed(_ now: Instant) {
        guard isDown else { return }
        // The first pause is the shortest one: it has been asked at once when it went down.
        let next = now + pause(now)
        deepen(now)
        // In an outage the pause runs from the probe's sending, or its timeout would come on top of it.
        tryAgainAt = isOutage ? min(next, max(tryAgainAt, now + Self.outageRest)) : next
    }

    /// How long until the next try: doubles with each that failed, fades with time.
    private func pause(_ now: Instant) -> Interval {
        let faded = (now - levelAt).nanoseconds / Self.fadeTime.nanoseconds
        let steps = min(max(level - max(faded, 0), 0), 16)
        let doubled = Interval(nanoseconds: settings.backoffMin.nanoseconds << steps)
        let whole = min(max(doubled, settings.backoffMin), settings.backoffMax)
        return isOutage ? min(whole, max(Self.outagePause, settings.backoffMin)) : whole
    }

    private mutating func deepen(_ now: Instant) {
        let faded = (now - levelAt).nanoseconds / Self.fadeTime.nanoseconds
        level = min(max(level - max(faded, 0), 0) + 1, 16)
        levelAt = now
    }

    /// A probe is over. One that could not even be sent is not repeated at once.
    mutating func endProbe(_ now: Instant) {
        isProbing = false
        if isDown && tryAgainAt <= now && answers == 0 { tryAgainAt = now + pause(now) }
    }

    /// Every upstream is down: it is asked again soon, however often it failed.
    mutating func beginOutage(_ now: Instant) {
        isOutage = true
        tryAgainAt = min(tryAgainAt, now + Self.outagePause)
    }

    /// The outage is over for another upstream. This one was down long before: it is asked now whether it is back.
    mutating func endOutage(_ now: Instant) {
        isOutage = false
        tryAgainAt = min(tryAgainAt, now)
    }

    mutating func noteUnreachable(_ now: Instant) { unreachableUntil = now + .seconds(1) }

    /// It asked itself to be left alone for a while (Retry-After).
    mutating func noteAway(until: Instant) { awayUntil = max(awayUntil, until) }

    /// What it is to be blamed for was not its fault, or is long past: the network changed, or everything had failed
    /// together.
    /// - Parameter isNewNetwork: what it asked for itself is forgotten too.
    /// - Returns: whether it counted as down.
    mutating func forgive(isNewNetwork: Bool) -> Bool {
        let wasDown = isDown
        isDown = false
        isOutage = false
        failures = 0
        answers = 0
        lastFailedName = 0
        level = 0
        tryAgainAt = Instant(nanoseconds: 0)
        unreachableUntil = Instant(nanoseconds: 0)
        // Elsewhere another machine may be meant.
        if isNewNetwork { awayUntil = Instant(nanoseconds: 0) }
        return wasDown
    }

    /// When a probe is due; nil = none. `heardAt`: when it last answered anything.
    func probeDue(heardAt: Instant, probedAt: Instant) -> Instant? {
        if isProbing || settings.mode == .off { return nil }
        if isDown { return max(tryAgainAt, awayUntil) }
        guard settings.mode == .active else { return nil }
        return max(heardAt, probedAt) + settings.interval
    }
}
