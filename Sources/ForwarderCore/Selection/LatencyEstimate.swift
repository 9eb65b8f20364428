// The round trip of an upstream: RFC 6298's smoothed estimate with the timeout that follows from it, and the percentile
// after which a second member is asked.
//
// The engine notes every answer, timeout and lost hedge here. Lengths of time are not trusted: a machine that slept has
// answers that took hours.

/// SRTT, RTTVAR and the spread of one upstream over one transport.
struct LatencyEstimate {
    /// What is assumed before the first measurement (Knot and Unbound: 376 to 400 ms).
    static let unknownTimeout = Interval.milliseconds(400)
    static let floor = Interval.milliseconds(200)
    static let ceiling = Interval.seconds(2)
    /// A round trip longer than this was not one: the machine slept. Unbound draws the line at a minute.
    static let absurd = Interval.seconds(10)
    /// In this time an estimate that timeouts have driven above `unknownTimeout` falls halfway back to it.
    static let halfLife = Interval.seconds(60)
    static let shortestHedge = Interval.milliseconds(10)
    static let longestHedge = Interval.milliseconds(500)
    /// The delay of a hedge while nothing is known.
    static let unknownHedge = Interval.milliseconds(200)
    /// Samples between two readings of the histogram.
    private static let readingInterval = 8

    /// nil before the first measurement.
    private(set) var smoothed: Interval?
    private(set) var variation = Interval.zero
    /// 95 of 100 answers take no longer; read again every few samples. nil below 16 samples.
    private(set) var percentile95: Interval?
    private(set) var median: Interval?
    private var histogram = LatencyHistogram()
    private var samplesToReading = 0
    private var decayedAt: Instant?

    /// Takes in one measured round trip (RFC 6298 2.2, 2.3 with alpha 1/8 and beta 1/4).
    mutating func note(_ roundTrip: Interval) {
        guard roundTrip <= Self.absurd else { return }
        let sample = min(max(0, roundTrip.nanoseconds), Self.ceiling.nanoseconds)
        histogram.note(sample)
        samplesToReading -= 1
        if samplesToReading <= 0 && histogram.samples >= LatencyHistogram.leastSamples {
            percentile95 = histogram.percentile(95)
            median = histogram.percentile(50)
            samplesToReading = Self.readingInterval
        }
        guard let known = smoothed?.nanoseconds else {
            smoothed = Interval(nanoseconds: sample)
            variation = Interval(nanoseconds: sample / 2)
            return
        }
        variation.nanoseconds += (abs(known - sample) - variation.nanoseconds) / 4
        smoothed = Interval(nanoseconds: known + (sample - known) / 8)
    }

    /// A timeout tells only that the round trip is longer than was thought: the estimate drifts up, bounded.
    mutating func noteTimeout(after waited: Interval) { drift(toward: waited, divisor: 8) }

    /// The loser of a hedge would have taken longer than `waited`: noted half as much as a timeout. The histogram takes
    /// it not: a length that was cut short is no sample.
    mutating func noteCancelled(after waited: Interval) { drift(toward: waited, divisor: 16) }

    /// What timeouts have driven up comes down again by time alone, not only by answers that nobody asks for any more.
    mutating func decay(_ now: Instant) {
        let elapsed = now - (decayedAt ?? now)
        // No more than once a second, so that rounding does not add up.
        if elapsed >= .zero && elapsed < .seconds(1) && decayedAt != nil { return }
        decayedAt = now
        guard let known = smoothed?.nanoseconds, known > Self.unknownTimeout.nanoseconds else { return }
        let excess = known - Self.unknownTimeout.nanoseconds
        let left = Fading.remainder(of: excess, after: elapsed, halfLife: Self.halfLife)
        smoothed = Interval(nanoseconds: Self.unknownTimeout.nanoseconds + left)
    }

    /// How long to wait for the `attempt`th sending (from 0): doubles each time, within 200 ms to 2 s.
    func timeout(attempt: Int) -> Interval {
        let base = fourVariations ?? Self.unknownTimeout
        let bounded = min(max(base, Self.floor), Self.ceiling)
        return min(Interval(nanoseconds: bounded.nanoseconds << Int64(min(max(attempt, 0), 4))), Self.ceiling)
    }

    /// How long to wait until another member is asked as well: the 95th percentile, but no more than four medians. A
    /// member that is slow for just more than 5 % of its answers has its slow ones for a percentile, and those are what
    /// a hedge is for.
    var hedgeDelay: Interval {
        var delay = fourVariations ?? Self.unknownHedge
        if let percentile95, let median {
            delay = min(percentile95, Interval(nanoseconds: 4 * median.nanoseconds))
        }
        return min(max(delay, Self.shortestHedge), Self.longestHedge)
    }

    private var fourVariations: Interval? {
        smoothed.map { Interval(nanoseconds: $0.nanoseconds + 4 * variation.nanoseconds) }
    }

    /// Up by a part of the difference, never down.
    private mutating func drift(toward waited: Interval, divisor: Int64) {
        guard let known = smoothed?.nanoseconds else { return }
        let bounded = min(waited.nanoseconds, Self.ceiling.nanoseconds)
        if bounded > known { smoothed = Interval(nanoseconds: known + (bounded - known) / divisor) }
    }
}
