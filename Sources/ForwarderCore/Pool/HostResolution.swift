// The addresses of an upstream that is known by a host name: asked of the bootstrap group, kept for their TTL.

/// What is under way and known of one host name.
struct HostResolution {
    static let shortestLife = Interval.seconds(30)
    static let longestLife = Interval.seconds(86_400)
    static let longestPause = Interval.seconds(30)

    /// Questions (A, AAAA) that are not answered yet.
    var pending = 0
    /// Addresses of the round under way.
    var found: [NetworkAddress] = []
    /// The smallest TTL of the round, in seconds.
    var life = UInt32.max
    var pause = Interval.seconds(1)
    /// When to ask (again).
    var dueAt = Instant(nanoseconds: 0)

    /// What is known may not hold where the machine is now: it is asked for again at once.
    mutating func expire(_ now: Instant) {
        pause = .seconds(1)
        dueAt = min(dueAt, now)
    }

    /// Ends a round: the addresses to use from now on, families taking turns (RFC 8305 4); nil when there is no news.
    /// A round that found nothing keeps what was known and is repeated soon.
    mutating func finish(_ now: Instant) -> [NetworkAddress]? {
        defer {
            found.removeAll()
            life = .max
        }
        guard !found.isEmpty else {
            dueAt = now + pause
            pause = min(Interval(nanoseconds: pause.nanoseconds * 2), HostResolution.longestPause)
            return nil
        }
        pause = .seconds(1)
        let seconds = Interval.seconds(Int64(life))
        dueAt = now + min(max(seconds, HostResolution.shortestLife), HostResolution.longestLife)
        let newer = found.filter { $0.isIPv6 }
        let older = found.filter { !$0.isIPv6 }
        var result: [NetworkAddress] = []
        for index in 0..<max(newer.count, older.count) {
            if index < newer.count { result.append(newer[index]) }
            if index < older.count { result.append(older[index]) }
        }
        return result
    }
}
