// The world around an engine: virtual time, sockets that are only entries in a table, clients and upstream queries.
//
// Both the replay tests and the simulation drive an engine through it, so what must hold always (the ceiling, one
// answer a query, the right id and question) is checked here, in one place: World+Actions looks at what the engine
// wants done. It knows nothing of the engine's inside.

import DNSWire
import ForwarderCore

/// An engine with its surroundings.
final class World {
    /// Clients are told apart by port: each query of a test comes from a port of its own.
    typealias ClientPort = UInt16

    static let beginning = Instant(nanoseconds: 1_000_000_000_000)
    let settings: EngineSettings
    var engine: Engine
    var out = ActionBuffer(byteCapacity: 4 << 10, byteLimit: 4 << 20)
    let start = World.beginning
    private(set) var now = World.beginning
    /// Streams connect by themselves.
    var connectsAtOnce = true
    /// While set, every opening of a socket fails so.
    var openFailure: TransportFailure?
    /// Addresses that an upstream may be asked at; other ones are a problem.
    var endpoints: [[Endpoint]]
    var connections: [ConnectionID: OpenConnection] = [:]
    /// Sockets open, by upstream.
    var openCounts: [Int]
    /// Those that connect, in the order of their opening; emptied by the simulation as it decides about them.
    var opened: [ConnectionID] = []
    /// Emptied by the simulation as it decides about them.
    var outQueries: [OutQuery] = []
    /// Queries that went down with their stream unanswered; emptied by the simulation.
    var undone: [OutQuery] = []
    /// PINGs that the engine asked for; emptied by the simulation.
    var probes: [ConnectionID] = []
    var exchanges: [ClientPort: ClientExchange] = [:]
    /// Answers in the order in which they went out.
    var answered: [ClientExchange] = []
    var events: [PoolEvent] = []
    /// What must never happen and did.
    private(set) var problems: [String] = []
    var openedSockets = 0
    var sentCount = 0
    var toConnect: [ConnectionID] = []
    var toFail: [(ConnectionID, TransportFailure)] = []
    /// Lost since the engine's actions were last performed: what it still wants done with them is in vain.
    var lostInBatch: [ConnectionID] = []
    /// What peers said of their limits in this wakeup.
    var announced: [() -> Void] = []
    private var isBatch = false

    init(settings: EngineSettings, seed: UInt64 = 1, worker: Int = 0, workers: Int = 1) {
        self.settings = settings
        endpoints = settings.upstreams.map(\.endpoints)
        openCounts = [Int](repeating: 0, count: settings.upstreams.count)
        var octets: [UInt8] = []
        var state = SplitMix(seed)
        for _ in 0..<6 { octets += withLittleEndian(state.next()) }
        let cache = SharedCache(settings: settings.cache, workers: workers, seed: (state.next(), state.next()))
        engine = Engine(
            settings: settings, cache: cache, seed: octets, worker: worker, workers: workers, now: World.beginning)
        wake()
    }

    // MARK: What happens to the engine

    /// Whatever happens inside is one wakeup: the engine hears all of it before anything that it wants is done.
    func batch(_ happenings: () -> Void) {
        isBatch = true
        happenings()
        isBatch = false
        wake()
    }

    /// Ends the wakeup before its time.
    func settle() {
        let wasBatch = isBatch
        isBatch = false
        wake()
        isBatch = wasBatch
    }

    @discardableResult
    func ask(_ bytes: [UInt8], from client: Client) -> ClientExchange {
        let exchange = ClientExchange(client: client, query: bytes, sentAt: now)
        exchanges[client.endpoint.port] = exchange
        engine.clientSent(bytes.span, from: client, now: now, into: &out)
        wake()
        return exchange
    }

    /// An upstream's message. One for a closed socket gets lost, as the kernel would lose it.
    func deliver(_ bytes: [UInt8], on connection: ConnectionID) {
        guard connections[connection] != nil else { return }
        engine.upstreamSent(bytes.span, on: connection, now: now, into: &out)
        wake()
    }

    /// The body of a 2xx response. One that was cancelled or lost its connection gets lost.
    func respond(_ bytes: [UInt8], to query: OutQuery, age: UInt32 = 0, freshness: UInt32? = nil) {
        guard let attempt = query.attempt,
            connections[query.connection]?.requests.removeValue(forKey: attempt) != nil
        else { return }
        engine.upstreamAnswered(
            bytes.span, to: attempt, on: query.connection, age: age, freshness: freshness, now: now, into: &out)
        wake()
    }

    /// A request ended without an answer; its connection lives on.
    func failRequest(_ query: OutQuery, _ failure: RequestFailure) {
        guard let attempt = query.attempt,
            connections[query.connection]?.requests.removeValue(forKey: attempt) != nil
        else { return }
        engine.requestFailed(attempt, on: query.connection, failure, now: now, into: &out)
        wake()
    }

    /// SETTINGS_MAX_CONCURRENT_STREAMS.
    func setCapacity(_ streams: Int, of id: ConnectionID) {
        guard let connection = connections[id], !connection.isConnecting else { return }
        // What the engine wanted before it heard of this is still performed.
        announced.append { connection.capacity = streams }
        engine.connectionCapacity(id, streams: streams, now: now, into: &out)
        wake()
    }

    /// GOAWAY.
    func retire(_ id: ConnectionID) {
        guard let connection = connections[id], !connection.isConnecting else { return }
        announced.append { connection.isRetiring = true }
        engine.connectionRetiring(id, now: now, into: &out)
        wake()
    }

    /// Something that is no message came.
    func hear(_ id: ConnectionID) {
        guard connections[id] != nil else { return }
        engine.connectionHeard(id, now: now)
        wake()
    }

    func connect(_ connection: ConnectionID) {
        guard connections[connection]?.isConnecting == true else { return }
        connections[connection]?.isConnecting = false
        engine.connectionOpened(connection, now: now, into: &out)
        wake()
    }

    func lose(_ connection: ConnectionID, _ failure: TransportFailure) {
        guard let open = connections.removeValue(forKey: connection) else { return }
        forget(open)
        if isBatch { lostInBatch.append(connection) }
        engine.connectionLost(connection, failure, now: now, into: &out)
        wake()
    }

    func failSend(_ attempt: AttemptID, _ failure: TransportFailure) {
        engine.sendFailed(attempt, failure, now: now, into: &out)
        wake()
    }

    /// Routes or addresses changed, or the machine woke up.
    func changeNetwork() {
        engine.networkChanged(now: now, into: &out)
        wake()
    }

    /// The machine's own servers changed.
    func setServers(_ servers: [Endpoint], of upstream: Int) {
        endpoints[upstream] += servers
        announced.append { [unowned self] in endpoints[upstream] = servers }
        engine.setServers(servers, of: upstream, now: now, into: &out)
        wake()
    }

    func stop() {
        engine.stop(now: now, into: &out)
        wake()
    }

    // MARK: Time

    /// When the engine next has something to do.
    var nextDeadline: Instant? { engine.nextDeadline(after: now) }

    /// Moves the clock without waking the engine: what happens next happens at that time.
    func setClock(_ instant: Instant) { now = max(now, instant) }

    /// Moves the clock, past whatever is due on the way: a machine that sleeps does the same.
    func jump(to instant: Instant) {
        now = max(now, instant)
        wake()
    }

    /// Lets time pass to `target`, stopping at every deadline of the engine on the way. `until` may end it earlier.
    func advance(to target: Instant, until: () -> Bool = { false }) {
        var turns = 0
        while let deadline = engine.nextDeadline(after: now), deadline <= target {
            if deadline <= now {
                turns += 1
                if turns > 1_000 {
                    report("the engine spins at \(elapsed)")
                    break
                }
            } else {
                turns = 0
                now = deadline
            }
            wake()
            if until() { return }
        }
        if target > now {
            now = target
            wake()
        }
    }

    /// Since the beginning, in seconds.
    var elapsed: Double { Double((now - start).nanoseconds) / 1e9 }

    func openCount(upstream: Int, network: String?) -> Int {
        connections.values.count { $0.upstream == upstream && (network == nil || $0.network == network) }
    }

    /// A bounded list: a run that goes wrong does so a thousand times.
    func report(_ problem: String) {
        if problems.count < 100 { problems.append(problem) }
    }

    /// The end of a wakeup: what is due, then the effects, then what those set off.
    private func wake() {
        if isBatch { return }
        engine.advance(to: now, into: &out)
        perform()
        var turns = 0
        while !toFail.isEmpty || !toConnect.isEmpty {
            turns += 1
            if turns > 10_000 {
                report("sockets are opened without end at \(elapsed)")
                toFail = []
                toConnect = []
                return
            }
            if !toFail.isEmpty {
                let (connection, failure) = toFail.removeFirst()
                engine.connectionLost(connection, failure, now: now, into: &out)
            } else {
                let connection = toConnect.removeFirst()
                guard connections[connection]?.isConnecting == true else { continue }
                connections[connection]?.isConnecting = false
                engine.connectionOpened(connection, now: now, into: &out)
            }
            engine.advance(to: now, into: &out)
            perform()
        }
    }
}
