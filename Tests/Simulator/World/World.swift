// The world around an engine: virtual time, sockets that are only entries in a table, clients and upstream queries.
//
// Both the replay tests and the simulation drive an engine through it, so what must hold always (the ceiling, one
// answer a query, the right id and question) is checked here, in one place. It knows nothing of the engine's inside.

import DNSWire
import ForwarderCore

/// A query that the engine sent to an upstream.
final class OutQuery {
    let number: Int
    let connection: ConnectionID
    let attempt: AttemptID?
    let upstream: Int
    let network: String
    let message: TestMessage
    let sentAt: Instant
    /// A scenario has looked at it, or a range has answered it.
    var isSeen = false
    /// It was answered, lost, or went down with its connection.
    var isOver = false

    init(
        number: Int, connection: ConnectionID, attempt: AttemptID?, upstream: Int, network: String,
        message: TestMessage, sentAt: Instant
    ) {
        self.number = number
        self.connection = connection
        self.attempt = attempt
        self.upstream = upstream
        self.network = network
        self.message = message
        self.sentAt = sentAt
    }
    var summary: String { "out query \(number) to upstream \(upstream) over \(network): \(message.summary)" }
}

/// A query of a client, and what became of it.
final class ClientExchange {
    let client: Client
    let query: [UInt8]
    let sentAt: Instant
    /// It must never be answered.
    var expectsSilence = false
    var answers: [[UInt8]] = []
    var answeredAt: Instant?

    init(client: Client, query: [UInt8], sentAt: Instant) {
        self.client = client
        self.query = query
        self.sentAt = sentAt
    }
}

/// A socket toward an upstream.
struct OpenConnection {
    var upstream: Int
    var network: String
    /// A stream before `connectionOpened`.
    var isConnecting: Bool
}

/// An engine with its surroundings.
final class World {
    let settings: EngineSettings
    var engine: Engine
    private var out = ActionBuffer(byteCapacity: 4 << 10, byteLimit: 4 << 20)
    let start = Instant(nanoseconds: 1_000_000_000_000)
    private(set) var now = Instant(nanoseconds: 1_000_000_000_000)
    /// Streams connect by themselves.
    var connectsAtOnce = true
    /// While set, every opening of a socket fails so.
    var openFailure: TransportFailure?
    private(set) var connections: [ConnectionID: OpenConnection] = [:]
    private(set) var outQueries: [OutQuery] = []
    private(set) var exchanges: [ClientPort: ClientExchange] = [:]
    /// Answers in the order in which they went out.
    private(set) var answered: [ClientExchange] = []
    private(set) var events: [PoolEvent] = []
    /// What must never happen and did.
    private(set) var problems: [String] = []
    private(set) var openedSockets = 0
    private var sent = 0
    private var toConnect: [ConnectionID] = []
    private var toFail: [(ConnectionID, TransportFailure)] = []

    /// Clients are told apart by port: each query of a test comes from a port of its own.
    typealias ClientPort = UInt16

    init(settings: EngineSettings, seed: UInt64 = 1, worker: Int = 0, workers: Int = 1) {
        self.settings = settings
        var octets: [UInt8] = []
        var state = SplitMix(seed)
        for _ in 0..<6 { octets += withLittleEndian(state.next()) }
        let cache = SharedCache(settings: settings.cache, workers: workers, seed: (state.next(), state.next()))
        engine = Engine(
            settings: settings, cache: cache, seed: octets, worker: worker, workers: workers,
            now: Instant(nanoseconds: 1_000_000_000_000))
        wake()
    }

    // MARK: What happens to the engine

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

    func connect(_ connection: ConnectionID) {
        guard connections[connection]?.isConnecting == true else { return }
        connections[connection]?.isConnecting = false
        engine.connectionOpened(connection, now: now, into: &out)
        wake()
    }

    func lose(_ connection: ConnectionID, _ failure: TransportFailure) {
        guard connections.removeValue(forKey: connection) != nil else { return }
        endQueries(on: connection)
        engine.connectionLost(connection, failure, now: now, into: &out)
        wake()
    }

    func failSend(_ attempt: AttemptID, _ failure: TransportFailure) {
        engine.sendFailed(attempt, failure, now: now, into: &out)
        wake()
    }

    func stop() {
        engine.stop(now: now, into: &out)
        wake()
    }

    /// Lets time pass to `target`, stopping at every deadline of the engine on the way. `until` may end it earlier.
    func advance(to target: Instant, until: () -> Bool = { false }) {
        var turns = 0
        while let deadline = engine.nextDeadline(after: now), deadline <= target {
            if deadline <= now {
                turns += 1
                if turns > 1_000 {
                    problems.append("the engine spins at \(elapsed)")
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

    /// Forgets what a long simulation has done with.
    func forgetOutQueries(where isDone: (OutQuery) -> Bool) { outQueries.removeAll(where: isDone) }

    func report(_ problem: String) { problems.append(problem) }

    // MARK: What the engine wants done

    /// The end of a wakeup: what is due, then the effects, then what those set off.
    private func wake() {
        engine.advance(to: now, into: &out)
        perform()
        var turns = 0
        while !toFail.isEmpty || !toConnect.isEmpty {
            turns += 1
            if turns > 10_000 {
                problems.append("sockets are opened without end at \(elapsed)")
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

    private func perform() {
        for action in out.upstream {
            switch action {
            case .openDatagram(let id, let upstream, _): open(id, upstream, "udp")
            case .openStream(let id, let upstream, _): open(id, upstream, "tcp")
            case .sendDatagram(let id, let attempt, let offset, let count):
                if isFailing(id) { continue }
                send(take(offset, count), on: id, attempt: attempt, network: "udp")
            case .writeStream(let id, let offset, let count):
                if isFailing(id) { continue }
                write(take(offset, count), on: id)
            case .sendRequest, .cancelRequest, .probe:
                problems.append("an HTTPS action without an HTTPS upstream")
            case .close(let id):
                if connections.removeValue(forKey: id) == nil, !isFailing(id) {
                    problems.append("closes \(id), which is not open")
                }
                endQueries(on: id)
            }
        }
        for reply in out.replies { give(reply) }
        events += out.events
        out.removeAll()
    }

    private func take(_ offset: Int, _ count: Int) -> [UInt8] {
        out.bytes.withSpan(offset, count) { span in span.indices.map { span[$0] } }
    }

    /// Its opening failed and the engine has not heard of it yet.
    private func isFailing(_ id: ConnectionID) -> Bool { toFail.contains { $0.0 == id } }

    private func open(_ id: ConnectionID, _ upstream: Int, _ network: String) {
        if let openFailure {
            toFail.append((id, openFailure))
            return
        }
        if connections[id] != nil { problems.append("opens \(id), which is open") }
        connections[id] = OpenConnection(upstream: upstream, network: network, isConnecting: network == "tcp")
        openedSockets += 1
        if network == "tcp", connectsAtOnce { toConnect.append(id) }
        let ceiling = settings.upstreams[upstream].pool.maxConnections
        let count = openCount(upstream: upstream, network: nil)
        if count > ceiling { problems.append("\(count) sockets to upstream \(upstream), the ceiling is \(ceiling)") }
    }

    /// One write may hold many frames, but only whole ones.
    private func write(_ bytes: [UInt8], on id: ConnectionID) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let octets = Array(rest.prefix(2))
            let length = octets.count == 2 ? Int(octets[0]) << 8 | Int(octets[1]) : Int.max
            guard rest.count >= 2, rest.count - 2 >= length else {
                problems.append("a stream write ends inside a frame")
                return
            }
            send(Array(rest.dropFirst(2).prefix(length)), on: id, attempt: nil, network: "tcp")
            rest = rest.dropFirst(2 + length)
        }
    }

    private func send(_ bytes: [UInt8], on id: ConnectionID, attempt: AttemptID?, network: String) {
        guard let connection = connections[id], connection.network == network else {
            problems.append("sends on \(id), which is not an open \(network) socket")
            return
        }
        do {
            let message = try TestMessage(bytes)
            sent += 1
            let query = OutQuery(
                number: sent, connection: id, attempt: attempt, upstream: connection.upstream, network: network,
                message: message, sentAt: now)
            if message.questions.count != 1 || message.flags & 0xfa80 != 0 || message.flags & 0x0100 == 0 {
                problems.append("not a proper query: \(query.summary)")
            }
            // The random worlds never say which query is over: an answered id may come again after 5 s.
            let recent = outQueries.filter { !$0.isOver && $0.connection == id && now - $0.sentAt < .seconds(5) }
            if recent.contains(where: { $0.message.id == message.id }) {
                problems.append("the id of \(query.summary) is in use on its connection")
            }
            outQueries.append(query)
        } catch {
            problems.append("a malformed query to upstream \(connection.upstream): \(error)")
        }
    }

    private func endQueries(on id: ConnectionID) {
        for query in outQueries where query.connection == id { query.isOver = true }
    }

    private func give(_ reply: ClientReply) {
        var bytes = take(reply.offset, reply.count)
        let port = reply.client.endpoint.port
        guard let exchange = exchanges[port], exchange.client.endpoint == reply.client.endpoint,
            exchange.client.path == reply.client.path
        else {
            problems.append("an answer for nobody, port \(port)")
            return
        }
        if reply.client.isStream {
            let length = bytes.count < 2 ? -1 : Int(bytes[0]) << 8 | Int(bytes[1])
            if length != bytes.count - 2 { problems.append("an answer with a wrong length prefix") }
            bytes = Array(bytes.dropFirst(2))
        }
        exchange.answers.append(bytes)
        exchange.answeredAt = now
        answered.append(exchange)
        if exchange.answers.count > 1 { problems.append("port \(port) was answered twice") }
        if exchange.expectsSilence { problems.append("port \(port) was answered, silence is due") }
        check(bytes, of: exchange)
    }

    /// Whatever the answer is: well formed, the client's own id, and the client's own question to the letter.
    private func check(_ bytes: [UInt8], of exchange: ClientExchange) {
        let query = exchange.query
        do {
            let message = try TestMessage(bytes)
            if message.flags & 0x8000 == 0 { problems.append("an answer without QR") }
            if bytes.prefix(2) != query.prefix(2) { problems.append("an answer under another id") }
            guard let asked = try? TestMessage(query), asked.questions.count == 1 else { return }
            if message.questions != asked.questions {
                problems.append("asked \(asked.questions), answered \(message.summary)")
            }
            let isStream = exchange.client.isStream
            let limit = isStream ? 65_535 : min(Int(max(512, asked.opt?.udpSize ?? 512)), Int(settings.udpPayload))
            if bytes.count > limit { problems.append("\(bytes.count) octets for a client that takes \(limit)") }
            if message.opt != nil, asked.opt == nil { problems.append("an OPT record that nobody asked for") }
        } catch {
            problems.append("a malformed answer: \(error)")
        }
    }
}
