// The settings of `[cache]` as a lookup needs them, clamped once: how long past its end, when a refresh is due.
//
// SharedCache makes them for its shards. Nothing here changes while the cache lives.

/// The rules that all shards share.
struct CacheRules: Sendable {
    /// Seconds past its end that an answer may be given (RFC 8767); 0 = never.
    let stale: UInt32
    /// TTL of what is given then, in seconds. 0 would make clients ask again at once (RFC 8767 4).
    let staleTTL: UInt32
    let prefetch: PrefetchRule

    init(settings: CacheSettings) {
        stale = settings.stale
        staleTTL = max(settings.staleTTL, 1)
        prefetch = PrefetchRule(percent: settings.prefetchPercent, minHits: settings.prefetchMinHits)
    }
}

/// When an answer is refreshed before it ends.
struct PrefetchRule: Sendable {
    /// More hits are not counted: the count has 15 bits of an entry's header.
    static let mostHits = 1_000

    /// Hits that make an answer popular; 0 = nothing is refreshed, and no hit counted.
    let hits: UInt16
    /// Percent of the lifetime after which it is late.
    private let percent: UInt64

    init(percent: Int, minHits: Int) {
        let left = min(max(percent, 0), 100)
        hits = left == 0 ? 0 : UInt16(min(max(minHits, 1), PrefetchRule.mostHits))
        self.percent = UInt64(100 - left)
    }

    /// Whether less than the share is left. In whole seconds, so the shortest lifetimes never get there: with 10 %
    /// those of up to ten seconds.
    @inline(__always)
    func isLate(_ age: UInt32, of lifetime: UInt32) -> Bool { UInt64(age) &* 100 > UInt64(lifetime) &* percent }
}

/// Up to when failures count no more: the network or an upstream is back.
///
/// A point in time instead of a walk through the shards: it holds at once for all workers, whatever the number of
/// entries. In whole seconds as the entries have them, so a failure of the same second is pardoned too.
struct FailurePardon: Sendable {
    /// Seconds plus one; 0 = there was none. Wider than the entries' seconds, so that the latest one is the greatest.
    let raw: UInt64

    init(raw: UInt64 = 0) { self.raw = raw }

    init(until now: Instant) { raw = UInt64(max(now.nanoseconds / 1_000_000_000, 0)) + 1 }

    /// Whether a failure of `stored` counts no more.
    func covers(_ stored: UInt32) -> Bool {
        raw > 0 && Int32(bitPattern: stored &- UInt32(truncatingIfNeeded: raw - 1)) <= 0
    }
}
