// Plays a scenario: one step after another on a World, then the accounts at the end.

import DNSWire
import ForwarderCore

@testable import Simulator

/// One run of one scenario.
final class ScenarioRunner {
    let scenario: Scenario
    let world: World
    var names: [String: OutQuery] = [:]
    var lastQuery: OutQuery?
    /// The COOKIE option of the answer looked at last: `COOKIE:last` shows it again.
    var lastCookie: [UInt8]?
    /// How many answers were looked at, from the front of `world.answered`.
    var unchecked: [ClientExchange] = []
    private var seenAnswers = 0
    var nextPort: UInt16 = 40_000
    private var reported = 0

    init(_ scenario: Scenario) throws {
        self.scenario = scenario
        world = World(settings: try scenario.settings.engineSettings())
        world.connectsAtOnce = scenario.settings.connectsAtOnce
    }

    /// Runs everything; throws a ScenarioError at the first step that fails.
    static func run(_ scenario: Scenario) throws {
        let runner: ScenarioRunner
        do { runner = try ScenarioRunner(scenario) } catch { throw ScenarioError(line: 1, text: "\(error)") }
        for step in scenario.steps {
            do { try runner.perform(step) } catch let error as ScenarioError { throw error } catch {
                throw step.failure("\(error)")
            }
            try runner.settle(step)
        }
        try runner.close()
    }

    private func perform(_ step: Step) throws {
        switch step.verb {
        case "NOTHING": break
        case "QUERY":
            let times = step.value("TIMES").flatMap { Int($0) } ?? 1
            for _ in 0..<times { try ask(step) }
        case "REPLY": try reply(step)
        case "TIMEOUT":
            if let query = step.has("TO") ? try query(step) : lastQuery { query.isOver = true }
            try timeout(step)
        case "LOST": try query(step).isOver = true
        case "TIME_PASSES":
            guard let text = step.value("ELAPSE") else { throw step.failure("needs ELAPSE") }
            let span = try ScenarioSettings.duration(text)
            world.advance(to: world.now + span)
        case "CONNECT": world.connect(try connection(step, isConnecting: true))
        case "CONNECT_FAIL": world.lose(try connection(step, isConnecting: true), try reason(step))
        case "CLOSE": world.lose(try connection(step, isConnecting: false), try reason(step))
        case "SEND_FAIL":
            let query = try query(step)
            guard let attempt = query.attempt else { throw step.failure("not a datagram") }
            query.isOver = true
            world.failSend(attempt, try reason(step))
        case "OPEN_FAIL": world.openFailure = step.has("off") ? nil : try reason(step)
        case "STOP": world.stop()
        default: if try !dispatch(step) { try check(step) }
        }
    }

    /// After each step: the ranges answer, and what must always hold is looked at.
    private func settle(_ step: Step) throws {
        var turns = 0
        while let (query, entry) = rangeAnswer(step.number) {
            turns += 1
            guard turns < 1_000 else { throw step.failure("the ranges answer without end") }
            // Its socket may be gone by now.
            let isGone = query.isOver
            query.isSeen = true
            query.isOver = true
            if entry.isDropped || isGone { continue }
            world.deliver(try response(to: query, entry, step).encoded(), on: query.connection)
        }
        unchecked += world.answered[seenAnswers...]
        seenAnswers = world.answered.count
        if world.problems.count > reported {
            throw step.failure(world.problems[reported...].joined(separator: "; "))
        }
    }

    private func rangeAnswer(_ number: Int) -> (OutQuery, Entry)? {
        for query in world.outQueries where !query.isSeen {
            for range in scenario.ranges where range.steps.contains(number) {
                if let address = range.address, address != world.settings.upstreams[query.upstream].name { continue }
                let entry = range.entries.first {
                    (try? EntryMatcher.difference(query.message, $0, items: EntryMatcher.queryDefault)) == .some(nil)
                }
                if let entry { return (query, entry) }
            }
        }
        return nil
    }

    /// At the end nobody may be left without an answer, and no query unaccounted for.
    private func close() throws {
        let line = scenario.steps.last?.line ?? 1
        func fail(_ text: String) -> ScenarioError { ScenarioError(line: line, text: "at the end: \(text)") }
        if let left = unchecked.first {
            throw fail("an answer that no step looked at: \(summary(left.answers.last ?? []))")
        }
        for exchange in world.exchanges.values where exchange.answers.isEmpty && !exchange.expectsSilence {
            throw fail("no answer for \(summary(exchange.query))")
        }
        for query in world.outQueries {
            if !query.isSeen { throw fail("no step looked at \(query.summary)") }
            if !query.isOver { throw fail("neither answered nor lost: \(query.summary)") }
        }
        if world.engine.inFlightCount != 0 { throw fail("\(world.engine.inFlightCount) client queries in flight") }
    }

    func summary(_ bytes: [UInt8]) -> String {
        (try? TestMessage(bytes).summary) ?? "octets \(TestRecord.hex(bytes))"
    }

    // MARK: Steps that act

    private func ask(_ step: Step) throws {
        var bytes: [UInt8]
        if let raw = step.value("RAW") {
            bytes = raw == "EMPTY" ? [] : try TestRecord.octets(hex: raw)
        } else {
            guard let entry = step.entry else { throw step.failure("needs an entry") }
            var message = entry.message
            message.id = step.value("ID").flatMap { UInt16($0) } ?? nextPort &* 7
            if let cookie = entry.cookie {
                let value = cookie == "last" ? lastCookie : try TestRecord.octets(hex: cookie)
                guard let value else { throw step.failure("the answer looked at last has no cookie") }
                message.opt?.options.append((10, value))
            }
            bytes = message.encoded()
        }
        nextPort += 1
        let address = try TestAddress.address(step.value("ADDRESS") ?? "10.0.0.1")
        let endpoint = Endpoint(address: address, port: nextPort)
        let path =
            step.has("TCP")
            ? ReplyPath.stream(slot: UInt32(nextPort), generation: 1) : .datagram(listener: 0, local: nil)
        // The exchange is known to the world before the engine answers, so silence is asked for there.
        let exchange = world.ask(bytes, from: Client(endpoint: endpoint, path: path))
        exchange.expectsSilence = step.has("SILENT")
        if exchange.expectsSilence, !exchange.answers.isEmpty { throw step.failure("answered, silence is due") }
    }

    private func reply(_ step: Step) throws {
        let query = try query(step)
        var connection = query.connection
        if let other = step.value("ON") {
            guard let named = names[other] else { throw step.failure("no query named \(other)") }
            connection = named.connection
        }
        if let garbage = step.value("GARBAGE") {
            world.deliver(garbage == "EMPTY" ? [] : try TestRecord.octets(hex: garbage), on: connection)
            return
        }
        guard let entry = step.entry else { throw step.failure("needs an entry") }
        let message = try response(to: query, entry, step)
        if !step.has("WRONG_ID") && !step.has("WRONG_QUESTION") && connection == query.connection {
            query.isOver = true
        }
        world.deliver(message.encoded(), on: connection)
        if step.has("DUPLICATE") { world.deliver(message.encoded(), on: connection) }
    }

    /// The entry as an answer to `query`: its id and its question to the letter, unless the step says otherwise.
    func response(to query: OutQuery, _ entry: Entry, _ step: Step) throws -> TestMessage {
        var message = entry.message
        message.id = step.has("WRONG_ID") ? query.message.id ^ 0x5555 : query.message.id
        if step.has("NO_QUESTION") {
            message.questions = []
        } else if !step.has("WRONG_QUESTION") {
            let isNamed = entry.match.isEmpty || entry.match.contains("qname")
            if isNamed, let written = message.questions.first, written.folded != query.message.questions.first?.folded {
                throw ScenarioError(line: entry.line, text: "answers another question than \(query.summary)")
            }
            message.questions = query.message.questions
            if step.has("FOLD_CASE") { message.questions = message.questions.map(\.folded) }
        }
        if let cookie = entry.cookie {
            guard var client = query.message.opt?.option(10)?.prefix(8) else {
                throw ScenarioError(line: entry.line, text: "the query has no cookie: \(query.summary)")
            }
            let parts = cookie.split(separator: "=").map(String.init)
            if parts[0] == "wrong" { client[client.startIndex] ^= 0xff }
            message.opt?.options.append((10, client + (parts.count > 1 ? try TestRecord.octets(hex: parts[1]) : [])))
        }
        return message
    }

    /// Lets time pass until the engine does something that can be seen.
    private func timeout(_ step: Step) throws {
        let (queries, answers, sockets) = (world.outQueries.count, world.answered.count, world.openedSockets)
        let isDone = { [world] in
            world.outQueries.count != queries || world.answered.count != answers || world.openedSockets != sockets
        }
        world.advance(to: world.now + .seconds(60), until: isDone)
        if !isDone() { throw step.failure("nothing happened for 60 s") }
    }

    /// The upstream query that a step speaks of.
    func query(_ step: Step) throws -> OutQuery {
        if let name = step.value("TO") {
            guard let query = names[name] else { throw step.failure("no query named \(name)") }
            return query
        }
        guard let lastQuery else { throw step.failure("no query was looked at yet") }
        return lastQuery
    }

    private func connection(_ step: Step, isConnecting: Bool) throws -> ConnectionID {
        if step.has("TO") { return try query(step).connection }
        let found = world.connections.filter { _, open in
            (!isConnecting || open.isConnecting)
                && (step.network == nil || open.network == step.network)
                && (step.value("ADDRESS").map { world.settings.upstreams[open.upstream].name == $0 } ?? true)
        }
        guard let id = found.keys.min(by: { $0.slot < $1.slot }) else { throw step.failure("no such socket is open") }
        return id
    }

    private func reason(_ step: Step) throws -> TransportFailure {
        let known: [String: TransportFailure] = [
            "refused": .refused, "reset": .reset, "RST": .reset, "FIN": .closedByPeer, "timedOut": .timedOut,
            "hostUnreachable": .hostUnreachable, "networkUnreachable": .networkUnreachable, "noPorts": .noPorts,
            "noDescriptors": .noDescriptors, "noBuffers": .noBuffers, "notPermitted": .notPermitted,
            "messageTooLong": .messageTooLong, "protocolError": .protocolError, "addressGone": .addressGone,
        ]
        for word in step.words { if let failure = known[word] { return failure } }
        throw step.failure("needs a reason: \(known.keys.sorted().joined(separator: " "))")
    }
}
