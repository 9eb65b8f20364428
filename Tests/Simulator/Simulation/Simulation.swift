// One random world: upstreams that lose, delay, repeat, forge, truncate, close, die and come back; a network that
// changes, a machine that sleeps; clients that ask.
//
// Everything comes from the seed. What must hold: each query is answered exactly once within its deadline, never with
// anything but what its question leads to, never over the ceiling (the World looks at that); queries are conserved; in
// fair weather all is well again soon; and in the end the engine rests. This file is the loop; what upstreams do stands
// in Simulation+Upstreams, what happens to the machine in Simulation+Weather, who looks in Simulation+Judge.

import ForwarderCore

/// One run with one seed.
public final class Simulation {
    enum Event {
        case ask(Int)
        case reply(OutQuery, Bending)
        case lose(ConnectionID, TransportFailure)
        case connect(ConnectionID)
        /// The kernel sends a segment again, and the next time after so long.
        case connectAgain(ConnectionID, Interval)
        case sendAgain(OutQuery, Interval)
        case failSend(OutQuery, TransportFailure)
        case failRequest(OutQuery, RequestFailure)
        case capacity(ConnectionID, Int)
        case retire(ConnectionID)
        case hear(ConnectionID)
        case idle(ConnectionID)
        case happen(Int)
        /// Something on the wire; lost with the network that it was on.
        indirect case wire(epoch: Int, Event)
    }

    /// An answer that an upstream gave.
    struct Issue {
        var question: Int
        /// With DO and CD, where those are known.
        var key: Int?
        var at: Instant
        /// Seconds that it may be kept.
        var life: UInt32
    }

    /// The most turns of the loop at one instant.
    private static let turnLimit = 5_000
    static let firstPort = 1_000

    let plan: SimulationPlan
    let world: World
    var chance: SplitMix
    var queue = EventQueue<Event>()
    /// How long the machine has slept so far: events count waking time.
    var slept = Interval.zero
    var epoch = 0
    /// Something else happened at this wakeup before.
    var isShared = false
    var hasOutage = false
    var isFair = false
    var isStopped = false
    /// When the machine slept, in the world's time.
    var sleeps: [(from: Instant, to: Instant)] = []
    var questionNumbers: [[UInt8]: Int] = [:]
    var issues: [Issue] = []
    /// RCODEs that upstreams answered a question with, as bits.
    var toldErrors: [UInt32]
    /// The newest stamp that a client was given, by question, DO and CD.
    var given: [Int]
    var ledger: SendLedger
    /// Answers on each stream, for those that end after a number of them.
    var streamAnswers: [ConnectionID: Int] = [:]
    var looked = 0
    var askedCount = 0
    var firstRecovery: Instant?
    private var found: [String] = []
    private var told = 0
    private var notices = 0
    /// Lines that tell what happens; nil = nobody wants to know.
    public var log: ((String) -> Void)?

    /// Answers with data or a denial.
    public internal(set) var answers = 0
    public internal(set) var serverFailures = 0
    /// How often a client got a stale answer.
    public internal(set) var staleAnswers = 0
    public var problems: [String] { found + world.problems }
    public var queriesSent: Int { world.sentCount }

    public init(seed: UInt64) {
        plan = SimulationPlan(seed: seed)
        chance = SplitMix(seed ^ 0x5eed_5eed_5eed_5eed)
        world = World(settings: plan.settings, seed: seed)
        world.connectsAtOnce = false
        toldErrors = [UInt32](repeating: 0, count: plan.questions.count)
        given = [Int](repeating: -1, count: plan.questions.count * 4)
        ledger = SendLedger(
            questions: plan.questions.count * 4, upstreams: plan.settings.upstreams.count,
            life: plan.settings.queryDeadline, joins: plan.settings.coalesce)
        issues.reserveCapacity(1_024)
        for (number, question) in plan.questions.enumerated() {
            questionNumbers[question.name + [UInt8(question.type)]] = number
        }
        for (number, ask) in plan.asks.enumerated() { queue.schedule(ask.at, .ask(number)) }
        for (number, happening) in plan.happenings.enumerated() { queue.schedule(happening.at, .happen(number)) }
    }

    /// What every upstream of the plan may never be believed.
    static func poison(_ type: UInt16) -> [UInt8] {
        let octets: [UInt8] = [203, 0, 113, 66]
        return type == 28 ? octets + octets + octets + octets : type == 16 ? [4] + octets : octets
    }

    // MARK: The loop

    public func run() {
        if log != nil { tellPlan() }
        notice()
        var turns = 0
        let last = (plan.asks.map(\.at) + plan.happenings.map(\.at)).max() ?? world.now
        let rest = restTime
        while true {
            let before = world.now
            let event = queue.next.map { $0 + slept }
            guard let target = [event, world.nextDeadline].compactMap({ $0 }).min(), target <= last + slept + rest
            else {
                break
            }
            if target == event { performNext() } else { world.jump(to: target) }
            notice()
            turns = world.now == before ? turns + 1 : 0
            if turns > Simulation.turnLimit { return report("the run does not go on at \(world.elapsed)") }
            if problems.count > 50 { break }
        }
        world.jump(to: last + slept + rest)
        notice()
        judge()
    }

    /// How long the engine is looked at after the last event: until every idle limit has passed, unless it goes on by
    /// itself.
    private var restTime: Interval { plan.settings.health.mode == .active ? .seconds(15) : .seconds(330) }

    /// The next event, or those of the next millisecond as one wakeup.
    private func performNext() {
        guard plan.batches, let first = queue.next else {
            if let at = queue.next { world.setClock(at + slept) }
            if let event = queue.take() { perform(event) }
            return
        }
        world.batch {
            var count = 0
            defer { isShared = false }
            while count < 8, let at = queue.next, at - first <= .milliseconds(1) {
                world.setClock(at + slept)
                isShared = count > 0
                if let event = queue.take() { perform(event) }
                count += 1
            }
        }
    }

    /// What goes over the network is lost when that changes.
    func schedule(_ after: Interval, _ event: Event) {
        queue.schedule(awake + after, .wire(epoch: epoch, event))
    }

    /// Waking time.
    var awake: Instant { Instant(nanoseconds: (world.now - slept.asInstant).nanoseconds) }

    private func perform(_ event: Event) {
        switch event {
        case .ask(let number): ask(number)
        case .happen(let number): happen(plan.happenings[number].what)
        case .wire(let sent, let event): if sent == epoch { arrive(event) }
        default: arrive(event)
        }
    }

    private func arrive(_ event: Event) {
        switch event {
        case .ask, .happen, .wire: break
        case .reply(let query, let bending): reply(query, bending)
        case .lose(let id, let failure):
            tell("\(id) lost: \(failure)")
            world.lose(id, failure)
        case .connect(let id):
            tell("\(id) connected")
            connected(id)
        case .connectAgain(let id, let next): decideConnect(id, again: next)
        case .sendAgain(let query, let next):
            if let open = world.connections[query.connection] { meet(query, open, again: next) }
        case .failSend(let query, let failure):
            guard let attempt = query.attempt else { return }
            tell("#\(query.number) not sent: \(failure)")
            if let key = ledgerKey(query) { ledger.noteUndone(key, query) }
            world.failSend(attempt, failure)
        case .failRequest(let query, let failure):
            tell("#\(query.number) request failed: \(failure)")
            if failure == .refused, let key = ledgerKey(query) { ledger.noteUndone(key, query) }
            query.answeredAt = world.now
            world.failRequest(query, failure)
        case .capacity(let id, let streams):
            tell("\(id) takes \(streams) requests at once")
            world.setCapacity(streams, of: id)
        case .retire(let id):
            tell("\(id) takes no more requests")
            world.retire(id)
        case .hear(let id): world.hear(id)
        case .idle(let id): endIfIdle(id)
        }
    }

    /// Looks at what the engine did: queries undone, clients answered, queries and streams that need a fate.
    private func notice() {
        while told < world.problems.count {
            tell("PROBLEM: \(world.problems[told])")
            told += 1
        }
        for query in world.undone { if let key = ledgerKey(query) { ledger.noteUndone(key, query) } }
        world.undone.removeAll(keepingCapacity: true)
        while looked < world.answered.count {
            look(at: world.answered[looked])
            looked += 1
        }
        // Deciding only schedules, so nothing is appended meanwhile.
        for query in world.outQueries { decide(query) }
        world.outQueries.removeAll(keepingCapacity: true)
        for id in world.opened { decideConnect(id) }
        world.opened.removeAll(keepingCapacity: true)
        for id in world.probes { decideProbe(id) }
        world.probes.removeAll(keepingCapacity: true)
        world.events.removeAll(keepingCapacity: true)
        notices += 1
        if notices % 16 == 0 { checkConservation() }
    }

    /// The number of the question that a query asks; nil for questions of the engine's own.
    func number(of query: OutQuery) -> Int? {
        guard let question = query.message.questions.first else { return nil }
        return questionNumbers[question.name.folded.wire + [UInt8(truncatingIfNeeded: question.type)]]
    }

    /// Where the ledger counts a query; nil where nobody can tell: without an OPT, whether DO was meant.
    func ledgerKey(_ query: OutQuery) -> Int? {
        guard let opt = query.message.opt, let number = number(of: query) else { return nil }
        return Simulation.key(number, dnssecOK: opt.dnssecOK, checkingDisabled: query.message.flags & 0x0010 != 0)
    }

    /// What the cache and the coalescer tell apart.
    static func key(_ question: Int, dnssecOK: Bool, checkingDisabled: Bool) -> Int {
        question * 4 + (dnssecOK ? 2 : 0) + (checkingDisabled ? 1 : 0)
    }

    // MARK: Words

    func report(_ problem: String) {
        tell("PROBLEM: \(problem)")
        if found.count < 100 { found.append(problem) }
    }

    func tell(_ line: @autoclosure () -> String) {
        guard let log else { return }
        let milliseconds = (world.now - world.start).inMilliseconds
        let text = String(milliseconds % 1_000 + 1_000).dropFirst()
        log("\(milliseconds / 1_000).\(text)  \(line())")
    }
}

extension Interval {
    /// As far after zero.
    var asInstant: Instant { Instant(nanoseconds: nanoseconds) }
}
