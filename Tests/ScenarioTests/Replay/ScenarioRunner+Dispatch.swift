// Steps about the world around the dispatcher: the network, sleep, the machine's own servers, loops, many queries at
// once; and what it counts.

import ForwarderCore

@testable import Simulator

extension ScenarioRunner {
    /// Steps that act. False when the verb is another one.
    func dispatch(_ step: Step) throws -> Bool {
        switch step.verb {
        case "NETWORK_CHANGED": world.changeNetwork()
        case "RESUME":
            guard let text = step.value("ELAPSE") else { throw step.failure("needs ELAPSE") }
            // The machine slept: no deadline on the way was kept, and the jump is noticed first of all.
            world.setClock(world.now + (try ScenarioSettings.duration(text)))
            world.changeNetwork()
        case "SERVERS":
            guard let name = step.words.first,
                let index = world.settings.upstreams.firstIndex(where: { $0.name == name })
            else { throw step.failure("no such upstream") }
            let servers = try step.words.dropFirst().map {
                Endpoint(address: try TestAddress.address($0), port: 53)
            }
            world.setServers(servers, of: index)
        case "QUERIES": try askMany(step)
        case "LOOP": try loop(step)
        default: return false
        }
        return true
    }

    /// `QUERIES n [SAME]`: so many clients ask, for names of their own: `q0`, `q1` ... below the entry's name.
    private func askMany(_ step: Step) throws {
        guard let entry = step.entry, let question = entry.message.questions.first,
            let count = step.words.first.flatMap({ Int($0) })
        else { throw step.failure("needs a number and an entry") }
        let first = nextPort
        for _ in 0..<count {
            nextPort += 1
            var message = entry.message
            message.id = nextPort &* 7
            let label = Array("q\(nextPort - first - 1)".utf8)
            let name = TestName(wire: [UInt8(label.count)] + label + question.name.wire)
            if !step.has("SAME") { message.questions = [TestQuestion(name: name, type: question.type)] }
            let address = try TestAddress.address(step.value("ADDRESS") ?? "10.0.0.1")
            world.ask(
                message.encoded(),
                from: Client(
                    endpoint: Endpoint(address: address, port: nextPort), path: .datagram(listener: 0, local: nil)))
        }
    }

    /// `LOOP [TO name]`: what was sent upstream comes back as a client's query; what that client is answered
    /// comes back as the upstream's answer.
    private func loop(_ step: Step) throws {
        let query = try query(step)
        nextPort += 1
        let client = Client(
            endpoint: Endpoint(address: try TestAddress.address("10.0.0.1"), port: nextPort),
            path: .datagram(listener: 0, local: nil))
        let exchange = world.ask(query.bytes, from: client)
        guard let answer = exchange.answers.first else { throw step.failure("what came back was not answered") }
        world.answered.removeAll { $0 === exchange }
        query.isOver = true
        world.deliver(answer, on: query.connection)
    }

    // MARK: Steps that look

    func checkDispatch(_ step: Step) throws {
        switch step.verb {
        case "CHECK_UPSTREAM": try checkUpstream(step)
        case "CHECK_COUNTER": try checkCounter(step)
        case "CHECK_EVENTS":
            guard let name = step.words.first else { throw step.failure("needs a name") }
            let texts = world.events.map { "\($0)".filter { $0 != " " } }
            let count = texts.count { $0 == name || $0.hasPrefix(name + "(") }
            do { try compare(step, "events \(name)", Double(count)) } catch let error as ScenarioError {
                throw step.failure(error.text + "; so far: \(texts.joined(separator: " "))")
            }
        case "CHECK_OUT_COUNT":
            let upstream = step.has("ADDRESS") ? try self.upstream(step) : nil
            let count = world.outQueries.count { upstream == nil || $0.upstream == upstream }
            try compare(step, "queries sent", Double(count))
        case "CHECK_ALL_ANSWERS": try checkAnswers(step)
        case "CHECK_LOOP_NAME":
            let name = try query(step).message.questions.first?.name.wire ?? []
            let digits = name.dropFirst().dropLast()
            guard name.count == 34, name[0] == 32, digits.allSatisfy({ Array("0123456789abcdef".utf8).contains($0) })
            else { throw step.failure("the name is \(TestRecord.hex(name))") }
        default: throw step.failure("unknown verb")
        }
    }

    /// `CHECK_ALL_ANSWERS n`: so many came, all as the entry says; its question counts only if MATCH says so.
    private func checkAnswers(_ step: Step) throws {
        guard let wanted = step.words.first.flatMap({ Int($0) }), wanted == unchecked.count else {
            throw step.failure("\(unchecked.count) answers came")
        }
        for exchange in unchecked {
            let message = try TestMessage(exchange.answers.last ?? [])
            guard let entry = step.entry else { continue }
            if let text = try EntryMatcher.difference(message, entry, items: ["rcode"]) {
                throw step.failure("\(text); the answer is \(message.summary)")
            }
        }
        unchecked = []
    }

    private func checkUpstream(_ step: Step) throws {
        let name = world.settings.upstreams[try upstream(step)].name
        guard let found = world.engine.upstreamStatistics().first(where: { $0.upstream == name }) else {
            throw step.failure("no statistics of \(name)")
        }
        if let state = step.value("state") {
            if found.state.word != state { throw step.failure("\(name) is \(found.state.word)") }
            return
        }
        var values: [String: Double] = [
            "hedges": Double(found.hedges), "hedges_won": Double(found.hedgesWon), "in_flight": Double(found.inFlight),
            "failovers": Double(found.failovers), "probes": Double(found.probes),
            "probes_answered": Double(found.probesAnswered), "downs": Double(found.downs),
        ]
        for kind in ExtraKind.allCases {
            values["granted_\(kind.word)"] = Double(found.extrasGranted[kind.rawValue])
            values["denied_\(kind.word)"] = Double(found.extrasDenied[kind.rawValue])
        }
        try compare(step, values, of: name)
    }

    private func checkCounter(_ step: Step) throws {
        let counters = world.engine.statistics()
        var values: [String: Double] = [
            "from_upstream": Double(counters.fromUpstream), "from_cache": Double(counters.fromCache),
            "local": Double(counters.local), "failed": Double(counters.failed), "outages": Double(counters.outages),
            "network_changes": Double(counters.networkChanges), "paced": Double(counters.paced),
            "in_flight": Double(counters.inFlight),
        ]
        for fault in Fault.allCases { values["failures_\(fault)"] = Double(counters.failures[fault.rawIndex]) }
        try compare(step, values, of: "the engine")
    }

    private func compare(_ step: Step, _ values: [String: Double], of owner: String) throws {
        for (index, word) in step.words.enumerated() {
            guard let value = values[word] else { continue }
            return try compare(step, "\(owner) \(word)", value, operatorAt: index + 1)
        }
        throw step.failure("no known counter; known: \(values.keys.sorted().joined(separator: " "))")
    }
}
