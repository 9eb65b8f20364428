// The TCP and TLS connections toward upstreams, one worker's.
//
// The engine names them by slot and generation; here they are opened, written and read. All frames of a batch leave in
// one send (one TLS record), answers that arrived before a FIN or RST are delivered before the loss is told (RFC 7766
// section 6.2.4 lets a server close at any time). Which query an answer belongs to, and every timer, is the engine's. A
// connection's channel is chosen when it is opened and kept: it must never fall back to clear text.
//
// Where a further channel joins: a case of `Channel`, made in `open`; after the handshake `begin`; what it reads
// arrives decrypted in `received`; what it writes goes to `connection.output`, followed by `touch`.

import CLinux
import DNSWire
import ForwarderCore
import Glibc

/// The table of connections.
struct StreamTransport: ~Copyable {
    /// More unwritten bytes than this and the connection is given up: its peer does not read.
    static let outputLimit = 1 << 20
    static let userTimeoutMilliseconds: Int32 = 5_000

    private var connections: [StreamConnection?] = []
    private var touched: [StreamConnection] = []
    var buffer = StreamBuffer()
    private let epoll: EpollSet
    let tally: WorkerTally
    /// By upstream; nil = clear text.
    private let encrypted: [TLSUpstream?]

    init(epoll: EpollSet, tally: WorkerTally, encrypted: [TLSUpstream?]) {
        self.epoll = epoll
        self.tally = tally
        self.encrypted = encrypted
    }

    func connection(_ id: ConnectionID) -> StreamConnection? {
        let slot = Int(id.slot)
        guard slot < connections.count, let found = connections[slot], found.id == id else { return nil }
        return found
    }

    // MARK: - Opening and closing

    /// Begins to connect. Returns the failure, or nil.
    mutating func open(_ id: ConnectionID, upstream: Int, to endpoint: Endpoint) -> TransportFailure? {
        precondition(encrypted.indices.contains(upstream), "an upstream that the settings do not have")
        let slot = Int(id.slot)
        while connections.count <= slot { connections.append(nil) }
        // An older generation that was never closed would keep its descriptor for ever.
        connections[slot] = nil
        tally.counters.socketCalls &+= 1
        let number = cl_socket_stream(endpoint.address.isIPv6 ? 6 : 4)
        if number < 0 { return TransportFailure(errno: -number, during: .socket) }
        let descriptor = FileDescriptor(owning: number)
        var channel = Channel.plain
        if let upstream = encrypted[upstream] {
            guard let session = upstream.session(descriptor: number, address: endpoint.address) else {
                return .noBuffers
            }
            channel = .tls(session)
        }
        let connection = StreamConnection(
            descriptor, id: id, peer: endpoint, channel: channel, headers: encrypted[upstream]?.headers)
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

    /// Closes quietly, after a last try to write what is queued, and close_notify.
    mutating func close(_ id: ConnectionID) {
        guard let connection = connection(id) else { return }
        if connection.touched && connection.mayWrite { _ = send(connection) }
        sayGoodbye(connection)
        if case .tls(let session) = connection.channel {
            // With a record half written, an alert would only be taken for its rest.
            if connection.mayWrite { session.sendCloseNotify() }
            if connection.phase == .handshaking { tally.counters.tlsFailures &+= 1 }
        }
        connections[Int(id.slot)] = nil
    }

    /// Closes the connections whose local address is not the one to use any more. Returns which.
    mutating func closeStale(_ check: inout BindingCheck) -> [ConnectionID] {
        var stale: [ConnectionID] = []
        for case let connection? in connections
        where check.isStale(connection.descriptor.number, peer: connection.peer) { stale.append(connection.id) }
        for id in stale { close(id) }
        return stale
    }

    /// Closes everything.
    mutating func closeAll() {
        for connection in connections {
            if let connection { close(connection.id) }
        }
        connections.removeAll()
    }

    // MARK: - Writing

    /// Queues frames; `flush` writes them. Returns false when the connection's bound is reached: it is closed then.
    mutating func write(_ id: ConnectionID, _ bytes: borrowing ByteWriter, offset: Int, count: Int) -> Bool {
        guard let connection = connection(id), connection.writeFailure == nil else { return true }
        if connection.output.count + count > StreamTransport.outputLimit {
            close(id)
            return false
        }
        connection.output.append(bytes, offset: offset, count: count)
        touch(connection)
        return true
    }

    /// Has `flush` write what lies in the connection's output.
    mutating func touch(_ connection: StreamConnection) {
        guard !connection.touched else { return }
        connection.touched = true
        touched.append(connection)
    }

    /// Whether something waits for `flush`.
    var hasTouched: Bool { !touched.isEmpty }

    /// Writes what the batch queued, one send a connection. Calls `lost` for each connection that is gone.
    mutating func flush(_ lost: (ConnectionID, TransportFailure) -> Void) {
        guard !touched.isEmpty else { return }
        for connection in touched {
            connection.touched = false
            guard self.connection(connection.id) === connection, connection.mayWrite else { continue }
            if let failure = write(connection) {
                close(connection.id)
                lost(connection.id, failure)
            }
        }
        touched.removeAll(keepingCapacity: true)
    }

    /// Returns the failure when the connection has to be closed at once.
    func write(_ connection: StreamConnection) -> TransportFailure? {
        if let failure = send(connection) {
            guard failure == .reset else { return failure }
            // The peer is gone, but answers that it sent before may still be in our receive queue. epoll tells of the
            // hang-up without being asked, and `read` finds the end.
            connection.writeFailure = failure
            connection.output.removeAll()
            connection.blocked = false
            connection.writeWaitsForRead = false
        }
        settle(connection)
        return nil
    }

    /// Gives the output to the socket. Notes what a rest waits for, returns what went wrong.
    func send(_ connection: StreamConnection) -> TransportFailure? {
        connection.blocked = false
        connection.writeWaitsForRead = false
        switch connection.channel {
        case .plain:
            switch connection.output.write(to: connection.descriptor.number) {
            case .drained: return nil
            case .blocked: connection.blocked = true
            case .failed(let code): return TransportFailure(errno: code, during: .transfer)
            }
        case .tls(let session):
            while true {
                connection.http2?.drain(into: &connection.output)
                if connection.output.isEmpty { return nil }
                switch session.write(&connection.output) {
                case .done: if connection.http2 == nil { return nil }
                case .wantsRead:
                    connection.writeWaitsForRead = true
                    return nil
                case .wantsWrite:
                    connection.blocked = true
                    return nil
                case .failed(let failure): return failure
                }
            }
        }
        return nil
    }

    /// Asks epoll for what the connection waits for.
    func settle(_ connection: StreamConnection) {
        let wantsWrite = connection.blocked || connection.readWaitsForWrite
        let wanted: Readiness = wantsWrite ? [.read, .write] : .read
        if wanted != connection.interest {
            connection.interest = wanted
            epoll.change(connection.descriptor.number, wanted, connection.token)
        }
    }
}
