// The round trip of an upstream: RFC 6298's smoothed estimate, and the timeout that follows from it.

/// SRTT and RTTVAR of one upstream over one transport.
struct LatencyEstimate {
    /// What is assumed before the first measurement (Knot and Unbound: 376 to 400 ms).
    static let unknownTimeout = Interval.milliseconds(400)
    static let floor = Interval.milliseconds(200)
    static let ceiling = Interval.seconds(2)

    /// nil before the first measurement.
    private(set) var smoothed: Interval?
    private(set) var variation = Interval.zero

    /// Takes in one measured round trip (RFC 6298 2.2, 2.3 with alpha 1/8 and beta 1/4).
    mutating func note(_ roundTrip: Interval) {
        let sample = max(0, roundTrip.nanoseconds)
        guard let known = smoothed?.nanoseconds else {
            smoothed = Interval(nanoseconds: sample)
            variation = Interval(nanoseconds: sample / 2)
            return
        }
        variation.nanoseconds += (abs(known - sample) - variation.nanoseconds) / 4
        smoothed = Interval(nanoseconds: known + (sample - known) / 8)
    }

    /// A timeout tells only that the round trip is longer than was thought: the estimate drifts up, bounded.
    mutating func noteTimeout(after waited: Interval) {
        guard let known = smoothed?.nanoseconds else { return }
        smoothed = Interval(
            nanoseconds: min(Self.ceiling.nanoseconds, max(known, known + (waited.nanoseconds - known) / 8)))
    }

    /// How long to wait for the `attempt`th sending (from 0): doubles each time, within 200 ms to 2 s.
    func timeout(attempt: Int) -> Interval {
        let base =
            smoothed.map { Interval(nanoseconds: $0.nanoseconds + 4 * variation.nanoseconds) } ?? Self.unknownTimeout
        let bounded = min(max(base, Self.floor), Self.ceiling)
        return min(Interval(nanoseconds: bounded.nanoseconds << Int64(min(max(attempt, 0), 4))), Self.ceiling)
    }
}
