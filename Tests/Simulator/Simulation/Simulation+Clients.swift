// What clients send, and what they may get: each answer is traced to the message of an upstream that it came from.

import ForwarderCore

extension Simulation {
    /// How long after the deadline an answer may come: the ticks of the engine's clock, and one wakeup.
    private static let lateness = Interval.milliseconds(50)

    func ask(_ number: Int) {
        let ask = plan.asks[number]
        let port = UInt16(Simulation.firstPort + number)
        let question = plan.questions[ask.question]
        var message = TestMessage()
        message.id = UInt16(truncatingIfNeeded: chance.next())
        message.flags = ask.kind == .noRecursion ? 0 : 0x0100
        let wire = question.name.map { chance.chance(30) && $0 >= 97 && $0 <= 122 ? $0 - 32 : $0 }
        message.questions = [TestQuestion(name: TestName(wire: wire), type: question.type)]
        if chance.chance(50) {
            message.opt = TestOPT()
            message.opt?.dnssecOK = chance.chance(15)
            if chance.chance(20) { message.opt?.options = [(10, [1, 2, 3, 4, 5, 6, 7, 8])] }
        }
        if chance.chance(8) { message.flags |= 0x0010 }
        let isStream = chance.chance(20)
        let octets = bend(&message, ask.kind)
        let client = Client(
            endpoint: Endpoint(address: address(), port: port),
            path: isStream ? .stream(slot: UInt32(port), generation: 1) : .datagram(listener: 0, local: nil))
        tell("client \(port) asks \(ask.kind == .question ? "" : "(\(ask.kind)) ")\(Simulation.words(message))")
        askedCount += 1
        // Without RD, too, a client may set off a refresh.
        if ask.kind == .question || ask.kind == .noRecursion {
            ledger.noteAsked(key(ask.question, message), isAlone: !isShared, now: world.now)
        }
        world.ask(octets, from: client).expectsSilence = ask.kind == .short || ask.kind == .response
    }

    private func address() -> NetworkAddress {
        let draw = chance.below(10)
        if draw == 0 { return NetworkAddress(high: 0x2001_0db8 << 32, low: UInt64(chance.below(3))) }
        return NetworkAddress(ipv4: 0x0a00_0001 + UInt32(draw))
    }

    /// Queries that are no ordinary question.
    private func bend(_ message: inout TestMessage, _ kind: PlannedAsk.Kind) -> [UInt8] {
        switch kind {
        case .question, .noRecursion: break
        case .short: return Array(message.encoded().prefix(Int(chance.below(12))))
        case .response: message.flags |= 0x8000
        case .status: message.flags |= 0x1000
        case .twoQuestions: message.questions.append(message.questions[0])
        case .any: message.questions[0].type = 255
        case .localhost:
            message.questions[0] = TestQuestion(name: TestName(wire: [9] + "localhost".utf8 + [0]), type: 1)
        case .transfer: message.questions[0].type = 252
        case .version:
            message.opt = TestOPT()
            message.opt?.version = 1
        }
        return message.encoded()
    }

    // MARK: Answers

    /// A client got its answer.
    func look(at exchange: ClientExchange) {
        let port = exchange.client.endpoint.port
        let ask = plan.asks[Int(port) - Simulation.firstPort]
        guard let at = exchange.answeredAt, let message = exchange.answer else { return }
        if ask.kind == .question || ask.kind == .noRecursion, let asked = exchange.asked {
            ledger.noteAnswered(key(ask.question, asked))
        }
        let waited = (at - exchange.sentAt).inMilliseconds
        tell("client \(port) is told \(TestType.rcodeName(message.rcode)) after \(waited) ms")
        var due = exchange.sentAt + plan.settings.queryDeadline
        for sleep in sleeps where due + Simulation.lateness >= sleep.from && due < sleep.to { due = sleep.to }
        if at > due + Simulation.lateness {
            report("client \(port) waited \((at - exchange.sentAt).inMilliseconds) ms")
        }
        let expected: UInt16
        switch ask.kind {
        case .question: return check(message, at, ask, exchange)
        case .noRecursion: return message.rcode == 5 ? () : check(message, at, ask, exchange)
        case .short, .response: return
        case .status: expected = 4
        case .twoQuestions: expected = 1
        case .any, .localhost: expected = 0
        case .transfer: expected = 5
        case .version: expected = 16
        }
        if message.rcode != expected { report("client \(port) (\(ask.kind)) was told \(message.summary)") }
    }

    private func check(_ message: TestMessage, _ at: Instant, _ ask: PlannedAsk, _ exchange: ClientExchange) {
        let port = exchange.client.endpoint.port
        let question = plan.questions[ask.question]
        if message.rcode != 0 && message.rcode != 3 {
            serverFailures += 1
            let told = message.rcode < 16 && toldErrors[ask.question] & (1 << UInt32(message.rcode)) != 0
            if message.rcode != 2 && !told { report("client \(port): an error that nobody told: \(message.summary)") }
            return
        }
        answers += 1
        if ask.isRecovery, firstRecovery == nil { firstRecovery = at }
        guard message.rcode == question.rcode, let origin = origin(message, ask.question) else {
            return report("client \(port) was told a wrong thing: \(message.summary)")
        }
        // A denial of a name holds for its other types and for names below it; its own query may have been any.
        let isOwn = issues[origin.stamp].question == ask.question
        if isOwn, let key = issues[origin.stamp].key, let asked = exchange.asked, key != self.key(ask.question, asked) {
            report("client \(port) got what was asked with another DO or CD: \(message.summary)")
        }
        checkAge(message, at, origin, isOwn ? exchange.asked.map { key(ask.question, $0) } : nil, port)
    }

    private func key(_ question: Int, _ asked: TestMessage) -> Int {
        let checkingDisabled = asked.flags & 0x0010 != 0
        return Simulation.key(question, dnssecOK: asked.opt?.dnssecOK ?? false, checkingDisabled: checkingDisabled)
    }

    /// Stamp and TTL of the message that an answer came from; nil when it is not the truth of the question.
    private func origin(_ message: TestMessage, _ number: Int) -> (stamp: Int, ttl: UInt32)? {
        let question = plan.questions[number]
        if question.isNegative {
            guard message.answer.isEmpty, let soa = message.authority.first, soa.type == 6,
                let token = SimulatedQuestion.token(ofSOA: soa.rdata)
            else { return nil }
            let stamp = Int(token.stamp)
            guard stamp < issues.count, issues[stamp].question >= 0 else { return nil }
            let source = plan.questions[issues[stamp].question]
            let denies = source.kind == .nameError && question.kind == .nameError && question.isAtOrBelow(source.name)
            guard source.mark == token.mark, issues[stamp].question == number || denies else { return nil }
            return (stamp, soa.ttl)
        }
        guard message.answer.count == (question.kind == .alias ? 2 : 1), let last = message.answer.last,
            last.type == question.type, let stamp = question.stamp(of: last.rdata), stamp < issues.count,
            issues[Int(stamp)].question == number
        else { return nil }
        let owner = question.kind == .alias ? [1, 116] + question.name : question.name
        guard last.owner.folded.wire == owner else { return nil }
        if question.kind == .alias {
            let alias = message.answer[0]
            guard alias.type == 5, TestName(wire: alias.rdata).folded.wire == owner else { return nil }
        }
        return (Int(stamp), last.ttl)
    }

    /// An answer lives as long as it says, and after that only as a stale one, if no fresher one was given since.
    private func checkAge(
        _ message: TestMessage, _ at: Instant, _ origin: (stamp: Int, ttl: UInt32), _ key: Int?, _ port: UInt16
    ) {
        let (stamp, ttl) = origin
        let issue = issues[stamp]
        let age = (at - issue.at).nanoseconds / 1_000_000_000
        let left = Int64(issue.life) - age
        let cache = plan.settings.cache
        if left >= -1 && Int64(ttl) <= max(0, left + 1) {
            if let key, issue.life > 0 { given[key] = max(given[key], stamp) }
            return
        }
        // Rounding may end an answer a second early.
        guard left <= 1 else {
            return report("client \(port): \(ttl) s of an answer that has \(left) s: \(message.summary)")
        }
        staleAnswers += 1
        if left < -Int64(cache.stale) - 1 { report("client \(port): an answer that ended \(-left) s ago") }
        if ttl > cache.staleTTL { report("client \(port): a stale answer with a TTL of \(ttl) s") }
        // Answers of another network's servers are kept apart, and count again when that network is back.
        if plan.settings.upstreams.contains(where: \.isSystem) { return }
        if let key, given[key] > stamp { report("client \(port): a stale answer, a newer one was given before") }
        let code = message.opt?.option(15).flatMap { $0.count >= 2 ? Int($0[0]) << 8 | Int($0[1]) : nil }
        if message.opt != nil, plan.settings.extendedErrors, code != 3 && code != 19 {
            report("client \(port): a stale answer that does not say so: \(message.summary)")
        }
    }
}
