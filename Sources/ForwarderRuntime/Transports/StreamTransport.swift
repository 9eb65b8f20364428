// The TCP connections toward upstreams, one worker's.
//
// The engine names them by slot and generation; here they are opened, written and read. All frames of a batch leave in
// one send, answers that arrived before a FIN or RST are delivered before the loss is told (RFC 7766 section 6.2.4 lets
// a server close at any time). Which query an answer belongs to, and every timer, is the engine's.

import CLinux
import DNSWire
import ForwarderCore
import Glibc

/// One TCP connection to an upstream.
final class StreamConnection {
    let descriptor: FileDescriptor
    let id: ConnectionID
    var frames = FrameReader()
    var output = OutputQueue()
    /// The handshake is over.
    var isOpen = false
    var blocked = false
    var touched = false
    /// A write failed: what has arrived is still read, then this is told.
    var writeFailure: TransportFailure?
    var interest: Readiness = .write

    init(_ descriptor: consuming FileDescriptor, id: ConnectionID) {
        self.descriptor = descriptor
        self.id = id
    }

    var token: EventToken { EventToken(.stream, slot: UInt32(id.slot), generation: UInt32(id.generation)) }
}

/// The table of TCP connections.
struct StreamTransport: ~Copyable {
    /// Reads of 64 KiB in one wakeup from one connection: the others must have their turn.
    static let readLimit = 4
    /// More unwritten bytes than this and the connection is given up: its peer does not read.
    static let outputLimit = 1 << 20
    static let userTimeoutMilliseconds: Int32 = 5_000

    private var connections: [StreamConnection?] = []
    private var touched: [StreamConnection] = []
    private var buffer = StreamBuffer()
    private let epoll: EpollSet
    private let tally: WorkerTally

    init(epoll: EpollSet, tally: WorkerTally) {
        self.epoll = epoll
        self.tally = tally
    }

    func connection(_ id: ConnectionID) -> StreamConnection? {
        let slot = Int(id.slot)
        guard slot < connections.count, let found = connections[slot], found.id == id else { return nil }
        return found
    }

    /// Begins to connect. Returns the failure, or nil.
    mutating func open(_ id: ConnectionID, upstream: Int, to endpoint: Endpoint) -> TransportFailure? {
        let slot = Int(id.slot)
        while connections.count <= slot { connections.append(nil) }
        // An older generation that was never closed would keep its descriptor for ever.
        connections[slot] = nil
        tally.counters.socketCalls &+= 1
        let number = cl_socket_stream(endpoint.address.isIPv6 ? 6 : 4)
        if number < 0 { return TransportFailure(errno: -number, during: .socket) }
        let connection = StreamConnection(FileDescriptor(owning: number), id: id)
        SocketOptions.noDelay(number)
        SocketOptions.userTimeout(number, milliseconds: StreamTransport.userTimeoutMilliseconds)
        tally.counters.connectCalls &+= 1
        let result = cl_connect(number, cl_address(endpoint))
        if result < 0 && result != -EINPROGRESS { return TransportFailure(errno: -result, during: .connect) }
        let code = epoll.add(number, .write, connection.token)
        if code != 0 { return TransportFailure(errno: code, during: .socket) }
        connections[slot] = connection
        return nil
    }

    /// Queues frames; `flush` writes them. Returns false when the connection's bound is reached: it is closed then.
    mutating func write(_ id: ConnectionID, _ bytes: borrowing ByteWriter, offset: Int, count: Int) -> Bool {
        guard let connection = connection(id), connection.writeFailure == nil else { return true }
        if connection.output.count + count > StreamTransport.outputLimit {
            close(id)
            return false
        }
        connection.output.append(bytes, offset: offset, count: count)
        if !connection.touched {
            connection.touched = true
            touched.append(connection)
        }
        return true
    }

    /// Writes what the batch queued, one send a connection. Calls `lost` for each connection that is gone.
    mutating func flush(_ lost: (ConnectionID, TransportFailure) -> Void) {
        guard !touched.isEmpty else { return }
        for connection in touched {
            connection.touched = false
            guard self.connection(connection.id) === connection, connection.isOpen, !connection.blocked else {
                continue
            }
            if let failure = write(connection) {
                close(connection.id)
                lost(connection.id, failure)
            }
        }
        touched.removeAll(keepingCapacity: true)
    }

    /// Returns the failure when the connection has to be closed at once.
    private func write(_ connection: StreamConnection) -> TransportFailure? {
        switch connection.output.write(to: connection.descriptor.number) {
        case .drained: connection.blocked = false
        case .blocked: connection.blocked = true
        case .failed(let code):
            let failure = TransportFailure(errno: code, during: .transfer)
            guard failure == .reset else { return failure }
            // The peer is gone, but answers that it sent before may still be in our receive queue. epoll tells of the
            // hang-up without being asked, and `read` finds the end.
            connection.writeFailure = failure
            connection.output.removeAll()
            connection.blocked = false
        }
        settle(connection)
        return nil
    }

    private func settle(_ connection: StreamConnection) {
        let wanted: Readiness = connection.blocked ? [.read, .write] : .read
        if wanted != connection.interest {
            connection.interest = wanted
            epoll.change(connection.descriptor.number, wanted, connection.token)
        }
    }

    /// Closes quietly, after a last try to write what is queued.
    mutating func close(_ id: ConnectionID) {
        guard let connection = connection(id) else { return }
        if connection.touched && connection.isOpen && !connection.blocked {
            _ = connection.output.write(to: connection.descriptor.number)
        }
        connections[Int(id.slot)] = nil
    }

    /// Something happened on a connection: tells the engine.
    mutating func ready(
        _ id: ConnectionID, _ readiness: Readiness, engine: inout Engine, now: Instant, into out: inout ActionBuffer
    ) {
        guard let connection = connection(id) else { return }
        var failure: TransportFailure?
        if !connection.isOpen {
            let code = cl_get_option(connection.descriptor.number, SOL_SOCKET, SO_ERROR)
            if code != 0 {
                failure = TransportFailure(errno: abs(code), during: .connect)
            } else if readiness.contains(.write) {
                connection.isOpen = true
                SocketOptions.quickAcknowledge(connection.descriptor.number)
                settle(connection)
                engine.connectionOpened(id, now: now, into: &out)
                failure = write(connection)
            }
        } else if readiness.contains(.write) {
            failure = write(connection)
        }
        if failure == nil && connection.isOpen && !readiness.isDisjoint(with: [.read, .error, .hangUp]) {
            failure = read(connection, engine: &engine, now: now, into: &out)
        }
        if let failure {
            close(id)
            engine.connectionLost(id, failure, now: now, into: &out)
        }
    }

    /// Returns why the connection ended, nil while it lives.
    private mutating func read(
        _ connection: StreamConnection, engine: inout Engine, now: Instant, into out: inout ActionBuffer
    ) -> TransportFailure? {
        for _ in 0..<StreamTransport.readLimit {
            let received = buffer.read(from: connection.descriptor.number)
            if received == -Int(EAGAIN) { break }
            if received == 0 { return connection.writeFailure ?? .closedByPeer }
            if received < 0 { return TransportFailure(errno: Int32(clamping: -received), during: .transfer) }
            let outcome = buffer.withBytes(received) { chunk in
                connection.frames.consume(chunk) { message in
                    engine.upstreamSent(message, on: connection.id, now: now, into: &out)
                    return true
                }
            }
            if outcome == .invalid { return .protocolError }
            if received < StreamBuffer.size { break }
        }
        SocketOptions.quickAcknowledge(connection.descriptor.number)
        return nil
    }

    /// Closes everything.
    mutating func closeAll() { connections.removeAll() }
}
