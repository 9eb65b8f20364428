// How an upstream behaves: what never changes about it, what it does to queries at a time, and when that changes.

import ForwarderCore

/// What an upstream does to queries, in percent; times in milliseconds.
struct UpstreamCharacter {
    var loss = 0
    var twice = 0
    /// A datagram with another id comes first, with the right question.
    var forged = 0
    /// Answers another question under the right id.
    var otherQuestion = 0
    /// The right question under another id.
    var otherID = 0
    var truncated = 0
    /// SERVFAIL, REFUSED, NOTIMP or FORMERR, some with an extended error.
    var failing = 0
    /// Ends the connection (or sends an ICMP error) at a query.
    var closing = 0
    /// The message is cut short.
    var cut = 0
    var folding = 0
    var badCookie = 0
    /// Of HTTPS: ends the request instead.
    var requestFailing = 0
    var connectFailing = 0
    var connectSilent = 0
    var sendFailing = 0
    /// The longest round trip.
    var delay = 20
    var isSilent = false
    /// Nobody listens there.
    var isRefusing = false
}

/// What stays as it is about an upstream, whether it is well or not.
struct UpstreamTrait {
    enum EDNS { case spoken, ignored, refused }
    var edns = EDNS.spoken
    /// Octets of its cookies; 0 = it knows none.
    var cookieLength = 0
    /// Never keeps letter case.
    var folds = false
    /// Ends a stream after so many answers; 0 = never.
    var answersPerStream = 0
    /// Ends a stream that is idle for so long.
    var idleLimit: Interval?
    /// Requests that it takes at once over HTTPS.
    var capacity = 100
    /// Of its addresses the ones that no stream can be opened to.
    var deadAddresses: Set<Int> = []
}

/// A time in which one upstream, or all of them, behave otherwise.
struct Phase {
    enum Kind {
        case silent, slow(Int), lossy(Int), lying, failing, refusing
        /// Silent every other period of so many milliseconds.
        case flapping(Int)
    }
    /// nil = all.
    var upstream: Int?
    var from: Instant
    var to: Instant
    var kind: Kind

    /// Changes a character if this is its time.
    func apply(to character: inout UpstreamCharacter, of upstream: Int, at now: Instant) {
        guard now >= from, now < to, self.upstream == nil || self.upstream == upstream else { return }
        switch kind {
        case .silent: character.isSilent = true
        case .slow(let delay): character.delay = max(character.delay, delay)
        case .lossy(let percent): character.loss = max(character.loss, percent)
        case .lying:
            character.forged = 20
            character.otherQuestion = 20
            character.otherID = 20
            character.cut = 15
            character.truncated = max(character.truncated, 20)
        case .failing:
            character.failing = 80
            character.requestFailing = 40
        case .refusing: character.isRefusing = true
        case .flapping(let period):
            if (now - from).inMilliseconds / Int64(period) % 2 == 0 { character.isSilent = true }
        }
    }
}
