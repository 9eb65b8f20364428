// All that a seed decides beforehand: settings, upstreams, questions, when clients ask, the weather, and its end.
//
// What happens to a single query is drawn while it runs; it comes from the same seed.

import ForwarderCore

/// One thing that happens to the machine or to an upstream.
enum Happening {
    /// Everything open to it is lost.
    case restart(upstream: Int)
    /// Routes or addresses change: what was under way is lost, connections may be too.
    case networkChange(losesConnections: Bool)
    case suspend(Interval)
    /// No route: sockets cannot be opened, datagrams not be sent.
    case outage(begins: Bool, isTold: Bool)
    /// Our own machine has no ports, or has them again.
    case openFailure(TransportFailure?)
    case servers(upstream: Int, [Endpoint])
    /// Everybody is well from here on.
    case fairWeather
    case stop
}

/// A client's query to come.
struct PlannedAsk {
    enum Kind { case question, noRecursion, short, response, status, twoQuestions, any, localhost, transfer, version }
    var at: Instant
    var question: Int
    var kind: Kind
    /// Asked to see that all is well again.
    var isRecovery = false
}

/// The plan of one seed.
struct SimulationPlan {
    var settings: EngineSettings
    var seed: UInt64
    var traits: [UpstreamTrait] = []
    var characters: [UpstreamCharacter] = []
    var phases: [Phase] = []
    var questions: [SimulatedQuestion] = []
    var asks: [PlannedAsk] = []
    var happenings: [(at: Instant, what: Happening)] = []
    /// When the weather ends; nil when the engine is stopped instead.
    var fairAt: Instant?
    /// The weather ends by coming into another network, and the engine is told.
    var endsElsewhere = false
    /// Whether the engine hears several things at one wakeup.
    var batches: Bool

    private let start = World.beginning
    private var span: Interval

    init(seed: UInt64) {
        var chance = SplitMix(seed)
        self.seed = seed
        settings = SimulationSettings.draw(&chance)
        batches = chance.chance(50)
        span = chance.chance(25) ? .milliseconds(100 + chance.below(900)) : .seconds(10 + chance.below(50))
        for upstream in settings.upstreams.indices {
            traits.append(SimulationPlan.trait(of: settings.upstreams[upstream], &chance))
            characters.append(SimulationPlan.character(&chance))
        }
        drawQuestions(&chance)
        drawAsks(&chance)
        drawPhases(&chance)
        drawHappenings(&chance)
        drawEnd(&chance)
    }

    /// A moment of the time in which the weather is foul.
    private func moment(_ chance: inout SplitMix) -> Instant {
        start + Interval(nanoseconds: Int64(chance.next() % UInt64(span.nanoseconds)))
    }

    private func until(_ from: Instant, _ chance: inout SplitMix, most milliseconds: Int64) -> Instant {
        min(from + .milliseconds(50 + chance.below(milliseconds)), start + span)
    }

    private static func trait(of upstream: UpstreamSettings, _ chance: inout SplitMix) -> UpstreamTrait {
        var trait = UpstreamTrait()
        trait.edns = chance.chance(80) ? .spoken : chance.chance(50) ? .ignored : .refused
        if chance.chance(40) { trait.cookieLength = chance.chance(70) ? 8 : 16 }
        trait.folds = chance.chance(8)
        if chance.chance(15) { trait.answersPerStream = 1 + Int(chance.below(10)) }
        if chance.chance(30) { trait.idleLimit = .milliseconds(300 + chance.below(10_000)) }
        trait.capacity = chance.chance(30) ? 1 + Int(chance.below(5)) : 100
        if upstream.endpoints.count > 1, chance.chance(40) { trait.deadAddresses = [Int(chance.below(2))] }
        return trait
    }

    private static func character(_ chance: inout SplitMix) -> UpstreamCharacter {
        var character = UpstreamCharacter()
        character.delay = 1 + Int(chance.below(chance.chance(10) ? 2_500 : 200))
        if chance.chance(30) { return character }
        character.loss = Int(chance.below(30))
        character.twice = 5
        character.forged = Int(chance.below(5))
        character.otherQuestion = Int(chance.below(4))
        character.otherID = Int(chance.below(4))
        character.truncated = Int(chance.below(15))
        character.failing = Int(chance.below(6))
        character.closing = Int(chance.below(6))
        character.cut = Int(chance.below(4))
        character.folding = Int(chance.below(4))
        character.badCookie = Int(chance.below(5))
        character.requestFailing = Int(chance.below(8))
        character.connectFailing = Int(chance.below(10))
        character.connectSilent = Int(chance.below(8))
        character.sendFailing = Int(chance.below(3))
        return character
    }

    private static func wire(_ labels: [String]) -> [UInt8] {
        var wire: [UInt8] = []
        for label in labels { wire += [UInt8(label.utf8.count)] + Array(label.utf8) }
        return wire + [0]
    }

    private mutating func drawQuestions(_ chance: inout SplitMix) {
        let names = 4 + Int(chance.below(20))
        for index in 0..<names {
            let labels = ["name\(index)", "zone\(index % 3)", "example"]
            let above = questions.count
            for type in SimulatedQuestion.types.prefix(1 + index % 3) {
                questions.append(SimulatedQuestion(name: SimulationPlan.wire(labels), type: type, group: 0))
            }
            guard chance.chance(20) else { continue }
            let denied = questions[above].kind == .nameError
            questions.append(
                SimulatedQuestion(name: SimulationPlan.wire(["sub"] + labels), type: 1, group: 0, denied: denied))
        }
    }

    private mutating func drawAsks(_ chance: inout SplitMix) {
        let known = UInt64(questions.count)
        let draw = chance.below(100)
        let count = draw < 60 ? 15 + chance.below(45) : draw < 92 ? 60 + chance.below(90) : 150 + chance.below(250)
        let odd: [PlannedAsk.Kind] = [
            .noRecursion, .noRecursion, .short, .response, .status, .twoQuestions, .any, .localhost, .transfer,
            .version,
        ]
        for _ in 0..<count {
            // Some names are asked for again and again.
            let question = chance.chance(40) ? chance.next() % min(4, known) : chance.next() % known
            let kind = chance.chance(6) ? odd[Int(chance.below(Int64(odd.count)))] : .question
            asks.append(PlannedAsk(at: moment(&chance), question: Int(question), kind: kind))
        }
    }

    private mutating func drawPhases(_ chance: inout SplitMix) {
        for _ in 0..<chance.below(5) {
            let from = moment(&chance)
            let kinds: [Phase.Kind] = [
                .silent, .silent, .slow(300 + Int(chance.below(3_000))), .lossy(40 + Int(chance.below(55))), .lying,
                .failing, .flapping(100 + Int(chance.below(3_000))),
            ]
            let upstream = Int(chance.below(Int64(settings.upstreams.count)))
            phases.append(
                Phase(
                    upstream: upstream, from: from, to: until(from, &chance, most: 20_000),
                    kind: kinds[Int(chance.below(Int64(kinds.count)))]))
        }
        if chance.chance(20) {
            let from = moment(&chance)
            phases.append(Phase(upstream: nil, from: from, to: until(from, &chance, most: 30_000), kind: .silent))
        }
    }

    private mutating func drawHappenings(_ chance: inout SplitMix) {
        for upstream in settings.upstreams.indices where chance.chance(20) {
            let from = moment(&chance)
            happenings.append((from, .restart(upstream: upstream)))
            phases.append(
                Phase(upstream: upstream, from: from, to: until(from, &chance, most: 5_000), kind: .refusing))
        }
        if chance.chance(15) {
            let from = moment(&chance)
            let failures: [TransportFailure] = [.noPorts, .noDescriptors, .noBuffers, .notPermitted]
            happenings.append((from, .openFailure(failures[Int(chance.below(4))])))
            happenings.append((until(from, &chance, most: 3_000), .openFailure(nil)))
        }
        if chance.chance(20) {
            let from = moment(&chance)
            happenings.append((from, .outage(begins: true, isTold: chance.chance(70))))
            happenings.append((until(from, &chance, most: 20_000), .outage(begins: false, isTold: chance.chance(80))))
        }
        for _ in 0..<3 where chance.chance(12) {
            happenings.append((moment(&chance), .networkChange(losesConnections: chance.chance(60))))
        }
        for _ in 0..<2 where chance.chance(12) {
            let length = chance.chance(50) ? chance.below(300) : chance.below(40_000)
            happenings.append((moment(&chance), .suspend(.seconds(1 + length))))
        }
        for upstream in settings.upstreams.indices where settings.upstreams[upstream].isSystem {
            for _ in 0..<chance.below(4) {
                let count = Int(chance.below(3))
                let servers = (0..<count).map { _ in SimulationSettings.endpoint(upstream, Int(chance.below(4))) }
                happenings.append((moment(&chance), .servers(upstream: upstream, servers)))
            }
        }
    }

    /// The weather ends, and some names are asked for that nobody asked for before; or the engine is stopped.
    private mutating func drawEnd(_ chance: inout SplitMix) {
        if chance.chance(10) {
            happenings.append((moment(&chance), .stop))
            return
        }
        let fair = start + span + .milliseconds(1)
        fairAt = fair
        endsElsewhere = chance.chance(40)
        for upstream in settings.upstreams.indices where settings.upstreams[upstream].isSystem {
            happenings.append((fair, .servers(upstream: upstream, [SimulationSettings.endpoint(upstream, 0)])))
        }
        happenings.append((fair, .fairWeather))
        for index in 0..<18 {
            let labels = ["fresh\(index)", "zone\(index % 3)", "example"]
            questions.append(SimulatedQuestion(name: SimulationPlan.wire(labels), type: 1, group: 0, isWell: true))
            // Three seconds of asking, then some when it must have got over all.
            let after: Interval = .milliseconds(Int64(index < 12 ? 10 + 250 * index : 6_000 + 300 * (index - 12)))
            asks.append(PlannedAsk(at: fair + after, question: questions.count - 1, kind: .question, isRecovery: true))
        }
    }
}
