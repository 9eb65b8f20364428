// Errors that every honest server would give: the zone's signatures are wrong, or policy forbids the name.
//
// The engine asks it of an upstream's extended error, the cache of a kept failure's. To ask elsewhere, or to give a
// stale answer, would be to get around the error; and whoever gets it later must learn the reason too.

/// Extended errors (RFC 8914) that are meant.
enum DeliberateError {
    static func isOne(_ code: UInt16) -> Bool {
        switch code {
        // DNSSEC: 4.2, 4.3, 4.6 to 4.13; 27 and 28 of the registry.
        case 1, 2, 5...12, 27, 28: true
        // Forged, blocked, censored, filtered: 4.5, 4.16 to 4.18. Not prohibited (4.19): that is about who asks, and
        // another server may let us.
        case 4, 15...17: true
        default: false
        }
    }
}
