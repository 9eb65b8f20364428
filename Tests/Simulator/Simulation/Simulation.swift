// One random world: three upstreams that lose, delay, repeat, forge, truncate and close; clients that ask.
//
// Everything comes from the seed. What must hold: each query is answered exactly once within its deadline, never with
// anything but what its question leads to, never over the ceiling (the World looks at that), and in the end the
// engine rests.

import ForwarderCore

/// One run with one seed.
final class Simulation {
    private enum Event {
        case ask(question: Int, client: UInt16)
        case deliver([UInt8], ConnectionID)
        case lose(ConnectionID, TransportFailure)
        case connect(ConnectionID)
        case failSend(OutQuery, TransportFailure)
        /// Our own machine has no ports, or has them again.
        case openFailure(TransportFailure?)
    }
    /// How often, in percent, an upstream does what.
    private struct Character {
        var loss: Int, twice: Int, forged: Int, otherQuestion: Int, truncated: Int, failing: Int, closing: Int
        var cut: Int, folding: Int
        var delay: Int
        /// Seconds from the start in which it says nothing at all.
        var silence: Range<Double>
    }

    static let poison: [UInt8] = [203, 0, 113, 66]
    private(set) var problems: [String] = []
    private(set) var answers = 0
    private(set) var serverFailures = 0
    private var chance: SplitMix
    private let world: World
    private var characters: [Character] = []
    private var events: [(at: Instant, order: Int, event: Event)] = []
    private var order = 0
    private var handled = 0
    private var connecting: Set<ConnectionID> = []
    private var questions: [TestQuestion] = []

    init(seed: UInt64) throws {
        chance = SplitMix(seed)
        var settings = ScenarioSettings()
        let strategies = ["ordered", "round-robin", "random", "fastest"]
        try settings.set("strategy", [strategies[Int(chance.next() % 4)]])
        try settings.set("explore", ["5"])
        try settings.set("max_connections", ["\(1 + chance.next() % 6)"])
        try settings.set("pool_max_inflight", ["\(1 + chance.next() % 8)"])
        try settings.set("udp_max_queries", ["\(1 + chance.next() % 32)"])
        try settings.set("prewarm", ["\(chance.next() % 2)"])
        try settings.set("cookies", [chance.chance(50) ? "yes" : "no"])
        try settings.set("case_randomization", [chance.chance(50) ? "udp" : "off"])
        try settings.set("cache_size", [chance.chance(70) ? "1048576" : "0"])
        try settings.set("coalesce", [chance.chance(80) ? "yes" : "no"])
        // With fewer members than sendings, two of one question may lie on one connection.
        let members = 1 + chance.next() % 3
        for index in 1...members {
            try settings.set("upstream", ["192.0.2.\(index)", chance.chance(65) ? "udp" : "tcp"])
        }
        world = World(settings: try settings.engineSettings(), seed: seed)
        world.connectsAtOnce = false
        for _ in 0..<3 {
            characters.append(
                Character(
                    loss: Int(chance.next() % 30), twice: 5, forged: Int(chance.next() % 5),
                    otherQuestion: Int(chance.next() % 5), truncated: Int(chance.next() % 15), failing: 3,
                    closing: Int(chance.next() % 6), cut: Int(chance.next() % 4), folding: Int(chance.next() % 4),
                    delay: 1 + Int(chance.next() % (chance.chance(10) ? 2_500 : 200)),
                    silence: chance.chance(20) ? 1.0..<4.5 : 0.0..<0.0))
        }
        let span: UInt64 = chance.chance(30) ? 50 : 8_000
        for index in 0..<16 {
            let name = try TestName("name\(index).zone\(index % 3).example.")
            for type: UInt16 in [1, 28] { questions.append(TestQuestion(name: name, type: type)) }
        }
        for index in 0..<60 {
            let at = world.now + .milliseconds(Int64(chance.next() % span))
            schedule(at, .ask(question: Int(chance.next() % UInt64(questions.count)), client: UInt16(1_000 + index)))
        }
        if chance.chance(20) {
            let from = world.now + .milliseconds(Int64(chance.next() % 3_000))
            schedule(from, .openFailure(chance.chance(50) ? .noPorts : .noDescriptors))
            schedule(from + .milliseconds(1 + Int64(chance.next() % 800)), .openFailure(nil))
        }
    }

    private func schedule(_ at: Instant, _ event: Event) {
        order += 1
        events.append((at, order, event))
    }

    func run() {
        notice()
        var turns = 0
        while true {
            turns += 1
            if turns > 20_000 { return problems.append("the run does not end") }
            let next = events.indices.min { (events[$0].at, events[$0].order) < (events[$1].at, events[$1].order) }
            let target = next.map { events[$0].at } ?? world.now + .seconds(6)
            let (sent, opened) = (world.outQueries.count, world.openedSockets)
            world.advance(to: target) { world.outQueries.count != sent || world.openedSockets != opened }
            notice()
            if world.now < target { continue }
            guard let next else {
                if world.outQueries.count == sent && events.isEmpty { break }
                continue
            }
            // `notice` only appends, so the index still holds.
            perform(events.remove(at: next).event)
            notice()
        }
        judge()
    }

    private func perform(_ event: Event) {
        switch event {
        case .ask(let question, let port): ask(questions[question], port)
        case .deliver(let bytes, let connection): world.deliver(bytes, on: connection)
        case .lose(let connection, let failure): world.lose(connection, failure)
        case .connect(let connection): world.connect(connection)
        case .failSend(let query, let failure):
            if let attempt = query.attempt { world.failSend(attempt, failure) }
        case .openFailure(let failure): world.openFailure = failure
        }
    }

    private func ask(_ question: TestQuestion, _ port: UInt16) {
        var message = TestMessage()
        message.id = UInt16(truncatingIfNeeded: chance.next())
        message.flags = 0x0100
        let wire = question.name.wire.map { chance.chance(30) && $0 >= 97 && $0 <= 122 ? $0 - 32 : $0 }
        message.questions = [TestQuestion(name: TestName(wire: wire), type: question.type)]
        if chance.chance(50) { message.opt = TestOPT() }
        let isStream = chance.chance(20)
        let client = Client(
            endpoint: Endpoint(address: NetworkAddress(ipv4: 0x0a00_0001 + UInt32(port % 5)), port: port),
            path: isStream ? .stream(slot: UInt32(port), generation: 1) : .datagram(listener: 0, local: nil))
        _ = world.ask(message.encoded(), from: client)
    }

    /// Gives each new upstream query and each new stream its fate.
    private func notice() {
        while handled < world.outQueries.count {
            decide(world.outQueries[handled])
            handled += 1
        }
        let fresh = world.connections.filter { $0.value.isConnecting && !connecting.contains($0.key) }.keys
        for id in fresh.sorted(by: { $0.raw < $1.raw }) {
            connecting.insert(id)
            let delay = Interval.milliseconds(1 + Int64(chance.next() % 100))
            switch chance.next() % 20 {
            case 0: schedule(world.now + delay, .lose(id, .refused))
            case 1: break
            default: schedule(world.now + delay, .connect(id))
            }
        }
    }

    private func decide(_ query: OutQuery) {
        let character = characters[query.upstream]
        let isStream = query.network == "tcp"
        let at = world.now + .milliseconds(1 + Int64(chance.next() % UInt64(character.delay)))
        if chance.chance(character.closing) {
            let reasons: [TransportFailure] = isStream ? [.reset, .closedByPeer] : [.refused]
            schedule(at, .lose(query.connection, reasons[Int(chance.next() % UInt64(reasons.count))]))
        }
        guard let question = query.message.questions.first, !character.silence.contains(world.elapsed) else { return }
        if !isStream && chance.chance(2) {
            schedule(world.now, .failSend(query, chance.chance(80) ? .noBuffers : .messageTooLong))
            return
        }
        if !isStream && chance.chance(character.forged) {
            var forged = Simulation.answer(to: query.message, question)
            forged.id ^= 0x5555
            forged.answer = [TestRecord(owner: question.name, type: 1, ttl: 60, rdata: Simulation.poison)]
            schedule(world.now + .milliseconds(1), .deliver(forged.encoded(), query.connection))
        }
        if chance.chance(isStream ? 5 : character.loss) { return }
        var reply = Simulation.answer(to: query.message, question)
        if !isStream && chance.chance(character.otherQuestion) {
            let other = questions[Int(chance.next() % UInt64(questions.count))]
            if other.folded != question.folded { reply = Simulation.answer(to: query.message, other) }
        }
        if chance.chance(character.failing) {
            reply.answer = []
            reply.authority = []
            reply.rcode = 2
        }
        if !isStream && chance.chance(character.truncated) {
            reply.flags |= 0x0200
            reply.answer = []
        }
        if chance.chance(character.folding) { reply.questions = reply.questions.map(\.folded) }
        var octets = reply.encoded()
        if chance.chance(character.cut) { octets.removeLast(1 + Int(chance.next() % UInt64(octets.count))) }
        schedule(at, .deliver(octets, query.connection))
        if chance.chance(character.twice) {
            schedule(at + .milliseconds(Int64(chance.next() % 50)), .deliver(octets, query.connection))
        }
    }

    /// What every honest upstream says to a question: it follows from the name alone.
    private static func answer(to query: TestMessage, _ question: TestQuestion) -> TestMessage {
        var reply = TestMessage()
        reply.id = query.id
        reply.flags = 0x8180
        reply.questions = [question]
        if query.opt != nil { reply.opt = TestOPT() }
        let (rcode, rdata) = truth(question)
        reply.rcode = rcode
        if let rdata {
            reply.answer = [TestRecord(owner: question.name, type: question.type, ttl: 5, rdata: rdata)]
        } else {
            // ns.example. admin.example. as bare labels, and five numbers of which MINIMUM is 3.
            let soa: [UInt8] = [2, 110, 115, 0, 1, 97, 0] + [UInt8](repeating: 0, count: 19) + [3]
            reply.authority = [TestRecord(owner: TestName(wire: [0]), type: 6, ttl: 4, rdata: soa)]
        }
        return reply
    }

    private static func truth(_ question: TestQuestion) -> (UInt16, [UInt8]?) {
        let sum = question.name.folded.wire.reduce(UInt32(17)) { $0 &* 31 &+ UInt32($1) }
        if sum % 7 == 0 { return (3, nil) }
        if question.type == 28 && sum % 3 == 0 { return (0, nil) }
        let octets = TestRecord.bigEndian(sum)
        return (0, question.type == 28 ? octets + octets + octets + octets : octets)
    }

    /// The accounts at the end.
    private func judge() {
        problems += world.problems
        let limit = world.settings.queryDeadline + .milliseconds(50)
        for (port, exchange) in world.exchanges.sorted(by: { $0.key < $1.key }) {
            guard let at = exchange.answeredAt, let bytes = exchange.answers.first else {
                problems.append("client \(port) was never answered")
                continue
            }
            if at - exchange.sentAt > limit {
                problems.append("client \(port) waited \((at - exchange.sentAt).inMilliseconds) ms")
            }
            guard let message = try? TestMessage(bytes), let question = message.questions.first else { continue }
            answers += 1
            if message.rcode == 2 {
                serverFailures += 1
                continue
            }
            let (rcode, rdata) = Simulation.truth(question)
            if message.rcode != rcode || message.answer.map(\.rdata) != (rdata.map { [$0] } ?? []) {
                problems.append("client \(port) was told a wrong thing: \(message.summary)")
            }
        }
        if world.engine.inFlightCount != 0 { problems.append("\(world.engine.inFlightCount) queries are left") }
        for pool in world.engine.poolStatistics() where pool.inFlight != 0 || pool.waiters != 0 {
            problems.append("\(pool.upstream) \(pool.network): \(pool.inFlight) in flight, \(pool.waiters) wait")
        }
        world.advance(to: world.now + .seconds(7_200))
        problems += world.problems.filter { !problems.contains($0) }
        if !world.connections.isEmpty { problems.append("\(world.connections.count) sockets open after two hours") }
    }
}
