// How often one question went to one server: never more than three times over each transport, whatever happens, plus
// once for each sending that the world itself undid (RFC 9520 3.1).
//
// The engine's queries are not visible from outside, so the ledger counts over the time in which they may overlap: each
// client that may have started one (or a refresh) allows three sendings more; one that must have joined none.

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
        /// Queries that there may have been.
        var queries = 0
        var askedAt = Instant(nanoseconds: 0)
        var accounts: [Account]
    }

    private var sheets: [Sheet]
    private var mixedUntil = Instant(nanoseconds: 0)
    private let accountsPerSheet: Int
    private let joins: Bool
    private let life: Interval

    /// - Parameters:
    ///   - life: how long a query may live.
    ///   - joins: whether clients that ask the same share one query.
    init(questions: Int, upstreams: Int, life: Interval, joins: Bool) {
        accountsPerSheet = upstreams * 2
        self.joins = joins
        self.life = life + .milliseconds(100)
        sheets = Array(
            repeating: Sheet(accounts: Array(repeating: Account(), count: upstreams * 2)), count: questions)
    }

    /// - Parameter isAlone: nothing else happened at this wakeup; else whoever still waits may have been answered.
    mutating func noteAsked(_ question: Int, isAlone: Bool, now: Instant) {
        let isNew = now - sheets[question].askedAt > life
        if isNew {
            sheets[question].queries = 0
            for index in 0..<accountsPerSheet { sheets[question].accounts[index] = Account() }
        }
        let mayStartOne = !joins || !isAlone || sheets[question].waiting == 0
        if isNew || now <= mixedUntil || mayStartOne { sheets[question].queries += 1 }
        sheets[question].waiting += 1
        sheets[question].askedAt = now
    }

    /// While queries of before may live nobody can tell which of them a client joins: each may start one.
    mutating func noteNewNetwork(now: Instant) { mixedUntil = now + life }

    mutating func noteAnswered(_ question: Int) { sheets[question].waiting -= 1 }

    /// A sending; false when it is one too many.
    mutating func noteSent(_ question: Int, _ query: OutQuery) -> Bool {
        let account = account(query)
        sheets[question].accounts[account].sends += 1
        let entry = sheets[question].accounts[account]
        return entry.sends <= SendLedger.limit * sheets[question].queries + entry.undone
    }

    mutating func noteUndone(_ question: Int, _ query: OutQuery) {
        sheets[question].accounts[account(query)].undone += 1
    }

    private func account(_ query: OutQuery) -> Int { query.upstream * 2 + (query.transport == .udp ? 0 : 1) }
}
