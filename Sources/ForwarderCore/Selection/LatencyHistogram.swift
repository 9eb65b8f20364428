// How the round trips of an upstream are spread: a small histogram with logarithmic buckets, for percentiles.
//
// A percentile cannot be had from an average and its variation: a member that answers 95 % within 1 ms and the rest
// after 200 ms averages 11 ms, which describes none of its answers. Four buckets an octave tell a value within 25 %.

/// Weights of round trips in 64 buckets, old ones worth less and less.
struct LatencyHistogram {
    /// Fewer samples than this say nothing of a percentile.
    static let leastSamples = 16
    /// At this many samples' weight, everything counts half.
    static let mostSamples = 256
    /// One sample weighs this much, so that the few of the tail outlive four halvings before they are nothing.
    private static let sampleWeight = 16
    /// The first bucket holds all below 125 us. It counts in 25 us: its octave is the one from 100 us.
    private static let unit: Int64 = 25_000

    private var buckets = [64 of UInt16](repeating: 0)
    private var weight = 0
    private(set) var samples = 0

    /// Counts one round trip, in nanoseconds.
    mutating func note(_ roundTrip: Int64) {
        buckets[Self.bucket(roundTrip)] += UInt16(Self.sampleWeight)
        weight += Self.sampleWeight
        samples = min(samples + 1, Self.mostSamples)
        guard weight >= Self.mostSamples * Self.sampleWeight else { return }
        weight = 0
        for index in buckets.indices {
            buckets[index] /= 2
            weight += Int(buckets[index])
        }
    }

    /// The round trip that `percent` of the samples do not pass: the upper end of its bucket. nil below 16 samples.
    func percentile(_ percent: Int) -> Interval? {
        guard samples >= Self.leastSamples else { return nil }
        var below = 0
        for index in buckets.indices {
            below += Int(buckets[index])
            if below * 100 >= weight * percent { return Interval(nanoseconds: Self.upperEnd(index)) }
        }
        return nil
    }

    /// Octaves from 100 us, each in four equal parts: the position of the highest bit and the two bits below it.
    static func bucket(_ roundTrip: Int64) -> Int {
        let units = max(0, roundTrip) / unit
        guard units >= 4 else { return 0 }
        let octave = 61 - units.leadingZeroBitCount
        return min(octave * 4 + Int(units >> Int64(octave)) & 3, 63)
    }

    /// Where the next bucket begins, in nanoseconds.
    static func upperEnd(_ bucket: Int) -> Int64 { Int64(bucket & 3 + 5) << Int64(bucket / 4) * unit }
}
