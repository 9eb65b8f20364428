// The steps of a scenario that look: at answers, upstream queries, counters, sockets, time.

import ForwarderCore

@testable import Simulator

extension ScenarioRunner {
    func check(_ step: Step) throws {
        switch step.verb {
        case "CHECK_ANSWER": try checkAnswer(step)
        case "CHECK_NO_ANSWER":
            if let left = unchecked.first { throw step.failure("there is one: \(summary(left.answers.last ?? []))") }
        case "CHECK_OUT_QUERY": try checkOutQuery(step)
        case "CHECK_NO_OUT_QUERY":
            if let query = world.outQueries.first(where: { !$0.isSeen }) { throw step.failure(query.summary) }
        case "CHECK_ANSWERS":
            let found = unchecked.count
            unchecked.removeAll()
            try compare(step, "answers that were not looked at", Double(found))
        case "CHECK_STAT": try checkStatistics(step)
        case "CHECK_COUNT": try checkCount(step)
        case "CHECK_OPEN":
            let upstream = try upstream(step)
            let count = world.openCount(upstream: upstream, network: step.network)
            try compare(step, "open sockets", Double(count))
        case "CHECK_TIME": try compare(step, "seconds since the start", world.elapsed)
        case "CHECK_EVENT":
            let names = world.events.map { "\($0)".prefix { $0 != "(" } }
            guard let name = step.words.first, names.contains(Substring(name)) == !step.has("never") else {
                throw step.failure("events so far: \(names.joined(separator: " "))")
            }
        default: try checkDispatch(step)
        }
    }

    private func checkAnswer(_ step: Step) throws {
        let address = try step.value("ADDRESS").map(TestAddress.address)
        let index = unchecked.firstIndex { exchange in
            (address.map { $0 == exchange.client.endpoint.address } ?? true)
                && (step.network == nil || (step.network == "tcp") == exchange.client.isStream)
                && (step.value("ID").map { $0 == "\(Int(exchange.query[0]) << 8 | Int(exchange.query[1]))" } ?? true)
        }
        guard let index else {
            let open = world.outQueries.filter { !$0.isOver }.map(\.summary).joined(separator: "; ")
            throw step.failure("no answer came; open: \(open.isEmpty ? "nothing" : open)")
        }
        let message = try TestMessage(unchecked.remove(at: index).answers.last ?? [])
        lastCookie = message.opt?.option(10)
        guard let entry = step.entry else { return }
        if let text = try EntryMatcher.difference(message, entry, items: EntryMatcher.answerDefault) {
            throw step.failure("\(text); the answer is \(message.summary)")
        }
    }

    private func checkOutQuery(_ step: Step) throws {
        let upstream = step.has("ADDRESS") ? try upstream(step) : nil
        var reasons: [String] = []
        for query in world.outQueries where !query.isSeen {
            var difference: String?
            if let upstream, query.upstream != upstream { difference = "another upstream" }
            if let network = step.network, query.network != network { difference = "over \(query.network)" }
            if difference == nil, let entry = step.entry {
                difference = try EntryMatcher.difference(query.message, entry, items: EntryMatcher.queryDefault)
            }
            guard let difference else {
                query.isSeen = true
                lastQuery = query
                if let name = step.value("AS") { names[name] = query }
                if let name = step.value("SAME_SOCKET"), names[name]?.connection != query.connection {
                    throw step.failure("not on the socket of \(name)")
                }
                if let name = step.value("OTHER_SOCKET"), names[name]?.connection == query.connection {
                    throw step.failure("on the socket of \(name)")
                }
                return
            }
            reasons.append("\(difference): \(query.summary)")
        }
        throw step.failure(reasons.isEmpty ? "no query went out" : reasons.joined(separator: "; "))
    }

    private func checkStatistics(_ step: Step) throws {
        let name = world.settings.upstreams[try upstream(step)].name
        let network = step.network ?? "udp"
        guard let pool = world.engine.poolStatistics().first(where: { $0.upstream == name && $0.network == network })
        else { throw step.failure("no statistics of \(name) over \(network)") }
        let values = ScenarioRunner.values(pool)
        for (index, word) in step.words.enumerated() {
            guard let value = values[word] else { continue }
            return try compare(step, "\(name) \(network) \(word)", value, operatorAt: index + 1)
        }
        throw step.failure("no known counter; known: \(values.keys.sorted().joined(separator: " "))")
    }

    private static func values(_ pool: PoolStatistics) -> [String: Double] {
        var values: [String: Double] = [
            "active": Double(pool.active), "connecting": Double(pool.connecting), "draining": Double(pool.draining),
            "idle": Double(pool.idle), "waiters": Double(pool.waiters), "in_flight": Double(pool.inFlight),
            "queries": Double(pool.queries), "reused": Double(pool.reused), "waited": Double(pool.waited),
            "wait_failed": Double(pool.waitFailed), "responses": Double(pool.responses),
            "timeouts": Double(pool.timeouts), "late": Double(pool.lateResponses),
            "near_misses": Double(pool.nearMisses), "truncated": Double(pool.truncated),
            "stale_retries": Double(pool.staleRetries), "peak": Double(pool.peak),
            "learned_idle": Double(pool.learnedIdle.nanoseconds) / 1e9,
            "opened": Double(pool.opened.reduce(0, +)), "closed": Double(pool.closed.reduce(0, +)),
        ]
        for reason in OpenReason.allCases { values["opened_\(reason)"] = Double(pool.opened[reason.rawValue]) }
        for reason in CloseReason.allCases { values["closed_\(reason)"] = Double(pool.closed[reason.rawValue]) }
        for fault in Fault.allCases { values["failures_\(fault)"] = Double(pool.failures[Int(fault.rawValue)]) }
        return values
    }

    func upstream(_ step: Step) throws -> Int {
        guard let name = step.value("ADDRESS") else { return 0 }
        guard let index = world.settings.upstreams.firstIndex(where: { $0.name == name }) else {
            throw step.failure("no upstream \(name)")
        }
        return index
    }

    /// Compares with the operator and the number at `index` of the step's words, or with the first operator found.
    func compare(_ step: Step, _ what: String, _ found: Double, operatorAt index: Int? = nil) throws {
        let operators: [String: (Double, Double) -> Bool] = ["=": { $0 == $1 }, "<=": { $0 <= $1 }, ">=": { $0 >= $1 }]
        let at = index ?? step.words.firstIndex { operators[$0] != nil } ?? step.words.count
        guard at + 1 < step.words.count, let test = operators[step.words[at]], let wanted = Double(step.words[at + 1])
        else { throw step.failure("needs an operator (= <= >=) and a number") }
        if !test(found, wanted) { throw step.failure("\(what): \(found), expected \(step.words[at]) \(wanted)") }
    }
}
