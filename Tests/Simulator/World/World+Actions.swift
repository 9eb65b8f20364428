// What the engine wants done, and whether it may want that: each action is performed on the tables of the world.
//
// Called at the end of each wakeup. What must hold for every action is looked at here; nothing is decided.

import DNSWire
import ForwarderCore

extension World {
    /// How long an id that was answered must rest on its connection.
    private static let idRest = Interval.seconds(5)

    func perform() {
        for action in out.upstream {
            switch action {
            case .openDatagram(let id, let upstream, let endpoint): open(id, upstream, .udp, endpoint)
            case .openStream(let id, let upstream, let endpoint):
                let transport = settings.upstreams[upstream].transport
                open(id, upstream, transport == .udp ? .tcp : transport, endpoint)
            case .sendDatagram(let id, let attempt, let offset, let count):
                if !isGone(id) { send(take(offset, count), on: id, attempt: attempt, isDatagram: true) }
            case .writeStream(let id, let offset, let count):
                if !isGone(id) { write(take(offset, count), on: id) }
            case .sendRequest(let id, let attempt, let offset, let count):
                if !isGone(id) { request(take(offset, count), on: id, attempt: attempt) }
            case .cancelRequest(let id, let attempt):
                if isGone(id) { continue }
                guard let open = connections[id] else {
                    report("cancels on \(id), which is not open")
                    continue
                }
                open.requests.removeValue(forKey: attempt)?.isOver = true
            case .probe(let id):
                if isGone(id) { continue }
                if connections[id]?.transport != .https { report("probes \(id), which is no HTTPS connection") }
                probes.append(id)
            case .close(let id): close(id)
            }
        }
        for reply in out.replies { give(reply) }
        events += out.events
        out.removeAll()
        lostInBatch.removeAll(keepingCapacity: true)
        for change in announced { change() }
        announced.removeAll(keepingCapacity: true)
    }

    /// What ends with a connection.
    func forget(_ open: OpenConnection) {
        openCounts[open.upstream] -= 1
        for query in open.queries.values {
            query.isOver = true
            // A stream that ends because of an answer did not answer.
            if open.transport.isStream, query.answeredAt.map({ $0 == now }) ?? true { undone.append(query) }
        }
        for query in open.requests.values {
            query.isOver = true
            undone.append(query)
        }
        open.requests.removeAll()
    }

    private func take(_ offset: Int, _ count: Int) -> [UInt8] {
        out.bytes.withSpan(offset, count) { span in span.indices.map { span[$0] } }
    }

    /// The engine could not know: its opening failed a moment ago, or it was lost in the same wakeup.
    private func isGone(_ id: ConnectionID) -> Bool {
        toFail.contains { $0.0 == id } || lostInBatch.contains(id)
    }

    private func open(_ id: ConnectionID, _ upstream: Int, _ transport: UpstreamTransport, _ endpoint: Endpoint) {
        if !endpoints[upstream].contains(endpoint), settings.upstreams[upstream].hostName.isEmpty {
            report("opens a socket to \(endpoint), which is not upstream \(upstream)")
        }
        if let openFailure {
            toFail.append((id, openFailure))
            return
        }
        if connections[id] != nil { report("opens \(id), which is open") }
        connections[id] = OpenConnection(upstream: upstream, transport: transport, endpoint: endpoint, now: now)
        openedSockets += 1
        openCounts[upstream] += 1
        if transport.isStream {
            if connectsAtOnce { toConnect.append(id) } else { opened.append(id) }
        }
        let ceiling = settings.upstreams[upstream].pool.maxConnections
        let count = openCounts[upstream]
        if count > ceiling { report("\(count) sockets to upstream \(upstream), the ceiling is \(ceiling)") }
    }

    private func close(_ id: ConnectionID) {
        if let open = connections.removeValue(forKey: id) {
            forget(open)
        } else if !isGone(id) {
            report("closes \(id), which is not open")
        }
    }

    /// One write may hold many frames, but only whole ones.
    private func write(_ bytes: [UInt8], on id: ConnectionID) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let octets = Array(rest.prefix(2))
            let length = octets.count == 2 ? Int(octets[0]) << 8 | Int(octets[1]) : Int.max
            guard rest.count >= 2, rest.count - 2 >= length else { return report("a stream write ends inside a frame") }
            send(Array(rest.dropFirst(2).prefix(length)), on: id, attempt: nil, isDatagram: false)
            rest = rest.dropFirst(2 + length)
        }
    }

    private func send(_ bytes: [UInt8], on id: ConnectionID, attempt: AttemptID?, isDatagram: Bool) {
        guard let open = connections[id], (open.transport == .udp) == isDatagram, open.transport != .https,
            !open.isConnecting
        else { return report("sends on \(id), which is not open for it") }
        guard let query = caught(bytes, on: id, open, attempt) else { return }
        // The random worlds never say which query is over: an answered id may come again after 5 s.
        if let before = open.queries[query.message.id], !before.isOver, now - before.sentAt < World.idRest {
            report("the id of \(query.summary) is in use on its connection")
        }
        open.queries[query.message.id] = query
        outQueries.append(query)
    }

    private func request(_ bytes: [UInt8], on id: ConnectionID, attempt: AttemptID) {
        guard let open = connections[id], open.transport == .https, !open.isConnecting else {
            return report("requests on \(id), which is no open HTTPS connection")
        }
        guard let query = caught(bytes, on: id, open, attempt) else { return }
        if query.message.id != 0 { report("a request with an id: \(query.summary)") }
        if open.isRetiring { report("a request on a connection that takes no more: \(query.summary)") }
        if open.requests.count >= open.capacity {
            report("\(open.requests.count + 1) requests at once on \(id), which takes \(open.capacity)")
        }
        open.requests[attempt] = query
        outQueries.append(query)
    }

    private func caught(
        _ bytes: [UInt8], on id: ConnectionID, _ open: OpenConnection, _ attempt: AttemptID?
    ) -> OutQuery? {
        do {
            sentCount += 1
            let query = try OutQuery(
                number: sentCount, connection: id, attempt: attempt, upstream: open.upstream,
                transport: open.transport, bytes: bytes, sentAt: now)
            let flags = query.message.flags
            if query.message.questions.count != 1 || flags & 0xfa80 != 0 || flags & 0x0100 == 0 {
                report("not a proper query: \(query.summary)")
            }
            return query
        } catch {
            report("a malformed query to upstream \(open.upstream): \(error)")
            return nil
        }
    }

    private func give(_ reply: ClientReply) {
        var bytes = take(reply.offset, reply.count)
        let port = reply.client.endpoint.port
        guard let exchange = exchanges[port], exchange.client.endpoint == reply.client.endpoint,
            exchange.client.path == reply.client.path
        else { return report("an answer for nobody, port \(port)") }
        if reply.client.isStream {
            let length = bytes.count < 2 ? -1 : Int(bytes[0]) << 8 | Int(bytes[1])
            if length != bytes.count - 2 { report("an answer with a wrong length prefix") }
            bytes = Array(bytes.dropFirst(2))
        }
        exchange.answers.append(bytes)
        exchange.answeredAt = now
        answered.append(exchange)
        if exchange.answers.count > 1 { report("port \(port) was answered twice") }
        if exchange.expectsSilence { report("port \(port) was answered, silence is due") }
        check(bytes, of: exchange)
    }

    /// Whatever the answer is: well formed, the client's own id, and the client's own question to the letter.
    private func check(_ bytes: [UInt8], of exchange: ClientExchange) {
        do {
            let message = try TestMessage(bytes)
            exchange.answer = message
            if message.flags & 0x8000 == 0 { report("an answer without QR") }
            if bytes.prefix(2) != exchange.query.prefix(2) { report("an answer under another id") }
            guard let asked = exchange.asked, asked.questions.count == 1 else { return }
            if message.questions != asked.questions {
                report("asked \(asked.questions), answered \(message.summary)")
            }
            let isStream = exchange.client.isStream
            let limit = isStream ? 65_535 : min(Int(max(512, asked.opt?.udpSize ?? 512)), Int(settings.udpPayload))
            if bytes.count > limit { report("\(bytes.count) octets for a client that takes \(limit)") }
            if message.opt != nil, asked.opt == nil { report("an OPT record that nobody asked for") }
        } catch {
            report("a malformed answer: \(error)")
        }
    }
}
