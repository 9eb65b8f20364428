// server.rate_limit: how many queries a second each client prefix may ask.
//
// The engine asks for every query over UDP that shows no valid server cookie: its source address is only claimed, and
// the limit is what bounds a reflection toward it. Memory is bounded whatever comes. It must never let many addresses
// wash a limited client's bucket out of the table, nor let anyone choose which buckets meet in a set.

/// What becomes of one query.
enum RateVerdict: Equatable, Sendable {
    case pass
    /// Over the limit: an empty reply with TC=1, no bigger than the query, by which an honest client comes over TCP.
    case slip
    /// Over the limit: silence.
    case drop
}

/// Token buckets by client prefix: `rate` queries a second, as many at once at the most.
struct RateLimiter: Sendable {
    /// Units of credit in a query: a nanosecond is worth `rate` of them, so that nothing is rounded.
    private static let scale: Int64 = 1_000_000_000
    /// A credit of one second at this rate is far below 2^63.
    private static let maxRate = 1_000_000
    private static let ways = 8
    /// Buckets in the table: 1 MiB. More clients than that at once share what is left by eviction.
    static let bucketLimit = 32_768

    private struct Bucket {
        /// The client's prefix; 0 = free.
        var key: UInt64 = 0
        var credit: Int64 = 0
        var refilledAt: Int64 = 0
        /// Queries over the limit; half are forgotten when the bucket is full.
        var limited: UInt32 = 0
    }

    private let rate: Int64
    private let secret: (UInt64, UInt64)
    private var buckets: [Bucket]

    /// - Parameters:
    ///   - rate: queries a second and prefix; 0 = no limit, and no memory.
    ///   - secret: must not be guessable.
    init(rate: Int, secret: (UInt64, UInt64)) {
        self.rate = Int64(max(0, min(rate, RateLimiter.maxRate)))
        self.secret = secret
        buckets = rate > 0 ? [Bucket](repeating: Bucket(), count: RateLimiter.bucketLimit) : []
    }

    var isOn: Bool { rate > 0 }

    /// Counts a query of the client prefix `key` (`ClientLoad.key`; 0 is nobody's and passes).
    mutating func admit(_ key: UInt64, now: Instant) -> RateVerdict {
        guard rate > 0, key != 0 else { return .pass }
        let place = place(of: key, now: now.nanoseconds)
        refill(place, now: now.nanoseconds)
        if buckets[place].credit >= RateLimiter.scale {
            buckets[place].credit -= RateLimiter.scale
            return .pass
        }
        buckets[place].limited &+= 1
        return buckets[place].limited & 1 == 1 ? .slip : .drop
    }

    private mutating func refill(_ place: Int, now: Int64) {
        let credit = credit(place, now: now)
        // Halved, not zeroed: at one query a second a limited client's bucket is full whenever its next query passes.
        if credit == rate * RateLimiter.scale { buckets[place].limited >>= 1 }
        buckets[place].credit = credit
        buckets[place].refilledAt = now
    }

    /// The credit that a bucket has now. A clock that went back gives nothing; a second or more fills any bucket.
    private func credit(_ place: Int, now: Int64) -> Int64 {
        guard now > buckets[place].refilledAt else { return buckets[place].credit }
        let past = now &- buckets[place].refilledAt
        let elapsed = past < 0 ? RateLimiter.scale : min(past, RateLimiter.scale)
        return min(rate * RateLimiter.scale, buckets[place].credit + elapsed * rate)
    }

    /// The key's bucket; a new one is full. In a full set the one that has least to lose gives way.
    private mutating func place(of key: UInt64, now: Int64) -> Int {
        let product = (key ^ secret.0).multipliedFullWidth(by: secret.1 | 1)
        let sets = RateLimiter.bucketLimit / RateLimiter.ways
        let first = Int(truncatingIfNeeded: (product.high ^ product.low) & UInt64(sets - 1)) * RateLimiter.ways
        var free: Int?
        for place in first..<first + RateLimiter.ways {
            if buckets[place].key == key { return place }
            if free == nil, buckets[place].key == 0 { free = place }
        }
        let place = free ?? victim(from: first, now: now)
        buckets[place] = Bucket(key: key, credit: rate * RateLimiter.scale, refilledAt: now)
        return place
    }

    /// The fullest bucket by whole queries; among equals the one that was limited least. A bucket at its limit has less
    /// than one query of credit, so that not even at one query a second a new address washes it out.
    private func victim(from first: Int, now: Int64) -> Int {
        var chosen = first
        var mostWhole: Int64 = -1
        var leastLimited = UInt32.max
        for place in first..<first + RateLimiter.ways {
            let credit = credit(place, now: now)
            let whole = credit / RateLimiter.scale
            let limited = credit == rate * RateLimiter.scale ? 0 : buckets[place].limited
            if whole > mostWhole || whole == mostWhole && limited < leastLimited {
                chosen = place
                mostWhole = whole
                leastLimited = limited
            }
        }
        return chosen
    }
}
