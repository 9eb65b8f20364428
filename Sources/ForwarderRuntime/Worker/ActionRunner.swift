// Performs what the engine asked for after a batch: replies first, then the upstream side in order.
//
// The worker calls it after every batch. Datagrams are grouped by listener and by upstream socket, so that a batch
// costs a few system calls. Failures are gathered and told to the engine when the batch is done: it may answer with new
// actions, which run in the next round. Rounds are bounded; what is left waits for the next wakeup.

import DNSWire
import ForwarderCore
import Glibc

/// The hands of the engine.
struct ActionRunner: ~Copyable {
    static let roundLimit = 16

    private enum Setback {
        case lost(ConnectionID, TransportFailure)
        case unsent(AttemptID, TransportFailure)
        case unasked(AttemptID, ConnectionID, RequestFailure)
    }

    private var batch = SendBatch()
    /// For action i the next send on the same socket, -1 = none.
    private var nextSend: [Int32] = []
    /// The actions in `batch`.
    private var batched: [Int32] = []
    private var touched: [DatagramConnection] = []
    private var setbacks: [Setback] = []
    private var narrator: PoolNarrator
    private let tally: WorkerTally

    init(narrator: PoolNarrator, tally: WorkerTally) {
        self.narrator = narrator
        self.tally = tally
        nextSend.reserveCapacity(256)
        batched.reserveCapacity(SendBatch.capacity)
        touched.reserveCapacity(64)
    }

    /// Whether log lines are held back for `flushNotices`.
    var holdsNotices: Bool { narrator.holdsAny }
    mutating func flushNotices(now: Instant) { narrator.flush(now: now) }

    /// Performs everything in `out` and what comes of it.
    mutating func perform(
        _ out: inout ActionBuffer, engine: inout Engine, sockets: inout WorkerSockets, now: Instant
    ) {
        for _ in 0..<ActionRunner.roundLimit {
            if out.isEmpty && !sockets.clients.mayResume && !sockets.streams.hasTouched { return }
            sendReplies(out, &sockets, now: now)
            performUpstream(out, &sockets, now: now)
            for event in out.events { narrator.tell(event, now: now) }
            out.removeAll()
            for setback in setbacks {
                switch setback {
                case .lost(let id, let failure): engine.connectionLost(id, failure, now: now, into: &out)
                case .unasked(let attempt, let id, let failure):
                    engine.requestFailed(attempt, on: id, failure, now: now, into: &out)
                case .unsent(let attempt, let failure): engine.sendFailed(attempt, failure, now: now, into: &out)
                }
            }
            setbacks.removeAll(keepingCapacity: true)
            sockets.clients.resume(engine: &engine, now: now, into: &out)
        }
    }

    // MARK: - Replies

    private mutating func sendReplies(
        _ out: borrowing ActionBuffer, _ sockets: inout WorkerSockets, now: Instant
    ) {
        guard !out.replies.isEmpty else { return }
        var current = -1
        for i in 0..<out.replies.count {
            let reply = out.replies[i]
            switch reply.client.path {
            case .stream(let slot, let generation):
                tally.counters.replies &+= 1
                sockets.clients.reply(
                    slot: slot, generation: generation, out.bytes, offset: reply.offset, count: reply.count)
            case .datagram(let listener, let local):
                guard Int(listener) < sockets.udpListeners.count, reply.client.endpoint.port != 0 else { continue }
                if Int(listener) != current || batch.isFull {
                    if current >= 0 { sendBatch(on: sockets.udpListeners[current], out.bytes) }
                    current = Int(listener)
                }
                batch.add(offset: reply.offset, count: reply.count, to: reply.client.endpoint, from: local)
            }
        }
        if current >= 0 { sendBatch(on: sockets.udpListeners[current], out.bytes) }
        sockets.clients.flush(now: now)
    }

    private mutating func sendBatch(on listener: UDPListener, _ bytes: borrowing ByteWriter) {
        var position = 0
        while position < batch.count {
            tally.counters.sendmmsgCalls &+= 1
            let sent = batch.send(on: listener.number, from: position, bytes: bytes)
            if sent > 0 {
                position += sent
                tally.counters.replies &+= UInt64(sent)
            } else if ActionRunner.isFull(sent) {
                // Waiting here would let one slow interface hold up everybody; the client asks again.
                tally.counters.repliesNoBuffer &+= UInt64(batch.count - position)
                break
            } else {
                // EPERM, EHOSTUNREACH, EINVAL: the fault of this destination; the others still get theirs.
                tally.counters.repliesRefused &+= 1
                position += 1
            }
        }
        batch.removeAll()
    }

    private static func isFull(_ result: Int) -> Bool {
        result == -Int(EAGAIN) || result == -Int(ENOBUFS) || result == -Int(ENOMEM)
    }

    // MARK: - Upstreams

    private mutating func performUpstream(
        _ out: borrowing ActionBuffer, _ sockets: inout WorkerSockets, now: Instant
    ) {
        guard !out.upstream.isEmpty || sockets.streams.hasTouched else { return }
        nextSend.removeAll(keepingCapacity: true)
        for i in 0..<out.upstream.count {
            nextSend.append(-1)
            switch out.upstream[i] {
            case .openDatagram(let id, _, let endpoint):
                if let failure = sockets.datagrams.open(id, to: endpoint, now: now) {
                    setbacks.append(.lost(id, failure))
                }
            case .openStream(let id, let upstream, let endpoint):
                if let failure = sockets.streams.open(id, upstream: upstream, to: endpoint) {
                    setbacks.append(.lost(id, failure))
                }
            case .sendDatagram(let id, _, _, _):
                // A socket that is gone has been told as lost, with all its attempts.
                if let connection = sockets.datagrams.connection(id) { chain(Int32(i), on: connection) }
            case .writeStream(let id, let offset, let count):
                if !sockets.streams.write(id, out.bytes, offset: offset, count: count) {
                    setbacks.append(.lost(id, .noBuffers))
                }
            case .sendRequest(let id, let attempt, let offset, let count):
                switch sockets.streams.request(id, attempt, out.bytes, offset: offset, count: count) {
                case .refused(let failure): setbacks.append(.unasked(attempt, id, failure))
                case .lost(let failure): setbacks.append(.lost(id, failure))
                case .asked: break
                }
            case .cancelRequest(let id, let attempt): sockets.streams.cancel(id, attempt)
            case .probe(let id): sockets.streams.probe(id)
            case .close(let id):
                if let connection = sockets.datagrams.connection(id) {
                    sendChain(of: connection, out, &sockets, now: now)
                    sockets.datagrams.close(id, now: now)
                }
                sockets.streams.close(id)
            }
        }
        for connection in touched { sendChain(of: connection, out, &sockets, now: now) }
        touched.removeAll(keepingCapacity: true)
        var lost: [Setback] = []
        sockets.streams.flush { id, failure in lost.append(.lost(id, failure)) }
        setbacks.append(contentsOf: lost)
    }

    private mutating func chain(_ index: Int32, on connection: DatagramConnection) {
        if connection.firstSend < 0 {
            connection.firstSend = index
            touched.append(connection)
        } else {
            nextSend[Int(connection.lastSend)] = index
        }
        connection.lastSend = index
    }

    /// Sends the chained messages of one socket.
    private mutating func sendChain(
        of connection: DatagramConnection, _ out: borrowing ActionBuffer, _ sockets: inout WorkerSockets, now: Instant
    ) {
        var index = connection.firstSend
        connection.firstSend = -1
        connection.lastSend = -1
        while index >= 0 {
            batch.removeAll()
            batched.removeAll(keepingCapacity: true)
            while index >= 0 && !batch.isFull {
                if case .sendDatagram(_, _, let offset, let count) = out.upstream[Int(index)] {
                    batch.add(offset: offset, count: count)
                    batched.append(index)
                }
                index = nextSend[Int(index)]
            }
            if let failure = sendBatched(on: connection, out) {
                sockets.datagrams.close(connection.id, now: now)
                setbacks.append(.lost(connection.id, failure))
                index = -1
            }
        }
        batch.removeAll()
    }

    /// Sends `batch`. Returns the failure when the socket is lost.
    private mutating func sendBatched(
        on connection: DatagramConnection, _ out: borrowing ActionBuffer
    ) -> TransportFailure? {
        var position = 0
        while position < batch.count {
            tally.counters.sendmmsgCalls &+= 1
            let sent = batch.send(on: connection.descriptor.number, from: position, bytes: out.bytes)
            if sent > 0 {
                position += sent
                continue
            }
            let failure = TransportFailure(errno: Int32(clamping: -sent), during: .transfer)
            switch failure {
            case .noBuffers:
                for i in position..<batch.count { unsent(batched[i], failure, out) }
                return nil
            case .notPermitted, .messageTooLong, .other:
                unsent(batched[position], failure, out)
                position += 1
            default: return failure
            }
        }
        return nil
    }

    private mutating func unsent(_ index: Int32, _ failure: TransportFailure, _ out: borrowing ActionBuffer) {
        if case .sendDatagram(_, let attempt, _, _) = out.upstream[Int(index)] {
            setbacks.append(.unsent(attempt, failure))
        }
    }
}
