// The connected UDP sockets toward upstreams, one worker's.
//
// The engine names them by slot and generation and says when to open, send and close; here the sockets are. Each is
// bound to a random port and connected, so that the kernel drops what does not come from the upstream's address
// (RFC 5452 section 9.1) and ICMP errors come back at once. It must never decide anything: failures are reported.

import CLinux
import DNSWire
import ForwarderCore
import Glibc

/// One connected UDP socket.
final class DatagramConnection {
    let descriptor: FileDescriptor
    let id: ConnectionID
    let peer: Endpoint
    /// The allocator's port, or nil when the kernel chose.
    let port: UInt16?
    /// Sends of the batch that wait to be grouped: a chain of indexes into the batch's actions, -1 = none.
    var firstSend: Int32 = -1
    var lastSend: Int32 = -1

    init(_ descriptor: consuming FileDescriptor, id: ConnectionID, peer: Endpoint, port: UInt16?) {
        self.descriptor = descriptor
        self.id = id
        self.peer = peer
        self.port = port
    }
}

/// The table of UDP sockets.
struct DatagramTransport: ~Copyable {
    /// The most datagrams that one wakeup reads from one socket: the others must have their turn.
    static let receiveLimit = 32
    /// Hundreds of answers may arrive at once on one socket; the kernel's default holds about 250 small ones.
    static let receiveBuffer = 1 << 20

    private var connections: [DatagramConnection?] = []
    private let ports: PortAllocator
    private let epoll: EpollSet
    private let tally: WorkerTally

    init(ports: PortAllocator, epoll: EpollSet, tally: WorkerTally) {
        self.ports = ports
        self.epoll = epoll
        self.tally = tally
    }

    /// The open socket `id`; nil when it is closed or its slot has another generation.
    func connection(_ id: ConnectionID) -> DatagramConnection? {
        let slot = Int(id.slot)
        guard slot < connections.count, let found = connections[slot], found.id == id else { return nil }
        return found
    }

    /// Opens a socket to an upstream. Returns the failure, or nil.
    mutating func open(_ id: ConnectionID, to endpoint: Endpoint, now: Instant) -> TransportFailure? {
        let slot = Int(id.slot)
        while connections.count <= slot { connections.append(nil) }
        // An older generation that was never closed would keep its descriptor for ever.
        if let old = connections[slot] { close(old.id, now: now) }
        let isIPv6 = endpoint.address.isIPv6
        tally.counters.socketCalls &+= 1
        let number = cl_socket_datagram(isIPv6 ? 6 : 4)
        if number < 0 { return TransportFailure(errno: -number, during: .socket) }
        let descriptor = FileDescriptor(owning: number)
        SocketOptions.omitPathMTU(number, isIPv6: isIPv6)
        SocketOptions.receiveBuffer(number, DatagramTransport.receiveBuffer)
        let port: UInt16?
        do throws(SystemError) {
            port = try bind(number, like: endpoint.address, now: now)
        } catch {
            return TransportFailure(errno: error.code, during: .bind)
        }
        tally.counters.connectCalls &+= 1
        var failure: TransportFailure?
        let connected = cl_connect(number, cl_address(endpoint))
        if connected < 0 { failure = TransportFailure(errno: -connected, during: .connect) }
        if failure == nil {
            let token = EventToken(.datagram, slot: UInt32(id.slot), generation: UInt32(id.generation))
            let code = epoll.add(number, .read, token)
            if code != 0 { failure = TransportFailure(errno: code, during: .socket) }
        }
        if let failure {
            if let port { ports.giveBack(port) }
            return failure
        }
        connections[slot] = DatagramConnection(descriptor, id: id, peer: endpoint, port: port)
        return nil
    }

    private func bind(_ number: Int32, like address: NetworkAddress, now: Instant) throws(SystemError) -> UInt16? {
        for _ in 0..<PortAllocator.attempts {
            guard let port = ports.take(now: now) else { break }
            tally.counters.bindCalls &+= 1
            let result = cl_bind(number, cl_address(anyAddressLike: address, port: port))
            if result == 0 { return port }
            ports.giveBack(port)
            // EACCES: a range that only root may bind (ip_unprivileged_port_start); the next draw may be outside.
            if result != -EADDRINUSE && result != -EACCES { throw SystemError(code: -result) }
        }
        // Without a bind the kernel chooses at connect.
        return nil
    }

    /// Closes quietly.
    mutating func close(_ id: ConnectionID, now: Instant) {
        guard let open = connection(id) else { return }
        if let port = open.port { ports.release(port, now: now) }
        connections[Int(id.slot)] = nil
    }

    /// Something arrived on a socket: gives the datagrams to the engine. Returns the failure when the socket is lost;
    /// it is closed then.
    mutating func ready(
        _ id: ConnectionID, batch: inout DatagramBatch, engine: inout Engine, now: Instant, into out: inout ActionBuffer
    ) -> TransportFailure? {
        guard let open = connection(id) else { return nil }
        tally.counters.recvmmsgCalls &+= 1
        let count = batch.receive(from: open.descriptor.number, limit: DatagramTransport.receiveLimit, named: false)
        if count < 0 {
            if count == -Int(EAGAIN) { return nil }
            close(id, now: now)
            return TransportFailure(errno: Int32(clamping: -count), during: .transfer)
        }
        for i in 0..<count {
            if batch.isTruncated(i) {
                // Larger than any payload size that we announce: not an answer of a server that read our query.
                tally.counters.upstreamOversized &+= 1
                continue
            }
            batch.withMessage(i) { message in
                engine.upstreamSent(message, on: id, now: now, into: &out)
            }
        }
        return nil
    }

    /// Closes the sockets whose local address is not the one to use any more. Returns which.
    mutating func closeStale(_ check: inout BindingCheck, now: Instant) -> [ConnectionID] {
        var stale: [ConnectionID] = []
        for case let connection? in connections
        where check.isStale(connection.descriptor.number, peer: connection.peer) { stale.append(connection.id) }
        for id in stale { close(id, now: now) }
        return stale
    }

    /// Closes everything.
    mutating func closeAll(now: Instant) {
        for connection in connections { if let connection { close(connection.id, now: now) } }
    }
}
