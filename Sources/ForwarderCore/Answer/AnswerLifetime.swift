// How long answers live: every rule about TTLs in one place (RFC 2181 5.2 and 8, RFC 2308 5, RFC 9520 3.2).
//
// The packer asks it, the cache doubles failures with it. It must never lengthen a negative answer, nor give a TTL of
// more than `max_ttl`.

/// The TTL rules of `[cache]`.
struct AnswerLifetime: Sendable {
    /// Failures never live longer (RFC 9520 3.2: "MUST NOT be longer than 5 minutes").
    static let longestFailure: UInt32 = 300
    /// A failure lives at least this long while there is an answer to give in its place (RFC 8767 5: an attempt to
    /// refresh "no more frequently than every 30 seconds").
    static let failureBesideAnswer: UInt32 = 30

    let minTTL: UInt32
    let maxTTL: UInt32
    let negativeMaxTTL: UInt32
    let failureTTL: UInt32
    /// Seconds that the answer at hand spent in an HTTP cache on its way (RFC 8484 5.1).
    var age: UInt32 = 0
    /// Seconds that its HTTP response is fresh for still.
    var freshness = UInt32.max

    init(settings: CacheSettings) {
        maxTTL = settings.maxTTL
        minTTL = min(settings.minTTL, settings.maxTTL)
        negativeMaxTTL = settings.negativeMaxTTL
        failureTTL = min(max(settings.failureTTL, 1), AnswerLifetime.longestFailure)
    }

    /// The TTL that a record is kept with. The top bit counts as 0 (RFC 2181 8). `min_ttl` raises positive answers
    /// only: a name that did not exist may come to exist, and nobody is helped by hiding it longer.
    func kept(_ raw: UInt32, of kind: AnswerKind) -> UInt32 {
        let value = min(aged(raw & 0x8000_0000 != 0 ? 0 : raw), freshness)
        return min(kind == .positive ? max(value, minTTL) : value, maxTTL)
    }

    /// Seconds that an answer lives. `shortest` is the smallest kept TTL, `negative` the SOA's (nil without SOA).
    func lifetime(of kind: AnswerKind, shortest: UInt32?, negative: UInt32?) -> UInt32 {
        switch kind {
        case .positive: return shortest ?? 0
        case .noData, .nameError:
            guard let negative, negative & 0x8000_0000 == 0 else { return 0 }
            return min(aged(negative), freshness, negativeMaxTTL, maxTTL, shortest ?? 0)
        case .failure: return failureTTL
        }
    }

    private func aged(_ ttl: UInt32) -> UInt32 { ttl > age ? ttl - age : 0 }

    /// The lifetime of a failure that follows one of `previous` seconds (RFC 9520 3.2: exponential back-off).
    static func afterFailure(_ previous: UInt32) -> UInt32 { min(min(previous, longestFailure) * 2, longestFailure) }
}
