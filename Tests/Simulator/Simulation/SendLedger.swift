// How often one question went to one server: never more than three times over each transport, whatever happens, plus
// once for each sending that the world itself undid (RFC 9520 3.1).
//
// The engine's queries are not visible from outside, so the ledger counts between the moments in which no client waits
// for the question: in between there is one query, or as many as clients wait where they do not join.

import ForwarderCore

/// The sendings of all questions.
struct SendLedger {
    static let limit = 3

    private struct Account {
        var sends = 0
        /// Sendings that were lost with a connection that had answered, refused, or never left.
        var undone = 0
    }

    private struct Sheet {
        var waiting = 0
        /// The most queries that may have run at once.
        var queries = 1
        var beganAt = World.beginning
        var isClosed = true
        var accounts: [Account]
    }

    private var sheets: [Sheet]
    private let accountsPerSheet: Int
    private let joins: Bool
    private let life: Interval

    /// - Parameters:
    ///   - life: how long a query may live.
    ///   - joins: whether clients that ask the same share one query.
    init(questions: Int, upstreams: Int, life: Interval, joins: Bool) {
        accountsPerSheet = upstreams * 2
        self.joins = joins
        self.life = life
        sheets = Array(
            repeating: Sheet(accounts: Array(repeating: Account(), count: upstreams * 2)), count: questions)
    }

    mutating func noteAsked(_ question: Int, now: Instant) {
        if sheets[question].isClosed { open(question, now) }
        sheets[question].waiting += 1
        // With and without DO or CD are two questions each.
        let most = joins ? min(4, sheets[question].waiting) : sheets[question].waiting
        sheets[question].queries = max(sheets[question].queries, most)
    }

    mutating func noteAnswered(_ question: Int) {
        sheets[question].waiting -= 1
        if sheets[question].waiting <= 0 { sheets[question].isClosed = true }
    }

    /// A sending; false when it is one too many.
    mutating func noteSent(_ question: Int, _ query: OutQuery) -> Bool {
        // Nobody waits: a refresh of the engine's own.
        if sheets[question].waiting <= 0,
            sheets[question].isClosed || query.sentAt - sheets[question].beganAt > life
        {
            open(question, query.sentAt)
        }
        let account = account(query)
        sheets[question].accounts[account].sends += 1
        let entry = sheets[question].accounts[account]
        return entry.sends <= SendLedger.limit * sheets[question].queries + entry.undone
    }

    mutating func noteUndone(_ question: Int, _ query: OutQuery) {
        sheets[question].accounts[account(query)].undone += 1
    }

    private func account(_ query: OutQuery) -> Int { query.upstream * 2 + (query.transport == .udp ? 0 : 1) }

    private mutating func open(_ question: Int, _ now: Instant) {
        sheets[question].isClosed = false
        sheets[question].queries = 1
        sheets[question].beganAt = now
        for index in 0..<accountsPerSheet { sheets[question].accounts[index] = Account() }
    }
}
