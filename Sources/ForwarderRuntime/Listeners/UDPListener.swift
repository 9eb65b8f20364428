// A UDP socket that clients ask, one a worker and address (SO_REUSEPORT).
//
// The worker reads it in batches and hands each datagram to the engine; replies leave through the same socket. It must
// never answer port 0 and never lets an oversized datagram look like a whole one.

import CLinux
import DNSWire
import ForwarderCore
import Glibc

/// A bound UDP socket for clients.
final class UDPListener {
    private let socket: BoundSocket
    let index: UInt16
    /// Bound to a wildcard address: replies name their source.
    let isWildcard: Bool
    private let tally: WorkerTally
    private var lastDrops: UInt32 = 0

    /// Makes the socket.
    static func bind(_ address: ListenAddress, settings: RuntimeSettings) throws(SystemError) -> BoundSocket {
        let endpoint = address.endpoint
        let isIPv6 = endpoint.address.isIPv6
        let socket = try FileDescriptor(checking: cl_socket_datagram(isIPv6 ? 6 : 4))
        let number = socket.number
        try SocketOptions.listener(number, isIPv6: isIPv6, freebind: settings.freebind)
        SocketOptions.omitPathMTU(number, isIPv6: isIPv6)
        SocketOptions.receiveBuffer(number, settings.udpReceiveBuffer)
        _ = cl_set_option(number, SOL_SOCKET, SO_RXQ_OVFL, 1)
        if endpoint.address.isWildcard { try SocketOptions.packetInformation(number, isIPv6: isIPv6) }
        let result = cl_bind(number, cl_address(endpoint))
        if result < 0 { throw SystemError(code: -result) }
        return BoundSocket(socket, address: address, isStream: false)
    }

    init(_ socket: BoundSocket, index: UInt16, tally: WorkerTally) {
        self.socket = socket
        isWildcard = socket.address.endpoint.address.isWildcard
        self.index = index
        self.tally = tally
    }

    var number: Int32 { socket.descriptor.number }
    var token: EventToken { EventToken(.udpListener, slot: UInt32(index)) }

    /// Receives one batch and gives each datagram to the engine. Returns how many came; fewer than the batch's capacity
    /// means that the socket is empty.
    func receive(
        _ batch: inout DatagramBatch, limit: Int, engine: inout Engine, now: Instant, into out: inout ActionBuffer
    ) -> Int {
        tally.counters.recvmmsgCalls &+= 1
        let count = batch.receive(from: number, limit: limit, named: true)
        guard count > 0 else { return 0 }
        tally.counters.clientDatagrams &+= UInt64(count)
        for i in 0..<count {
            if batch.isTruncated(i) {
                tally.counters.oversized &+= 1
                continue
            }
            guard let sender = batch.sender(i), sender.port != 0 else {
                tally.counters.unanswerable &+= 1
                continue
            }
            let control = batch.control(i)
            if control.drops != 0 { note(drops: control.drops) }
            let client = Client(
                endpoint: sender, path: .datagram(listener: index, local: isWildcard ? control.local : nil))
            batch.withMessage(i) { message in
                engine.clientSent(message, from: client, now: now, into: &out)
            }
        }
        return count
    }

    private func note(drops: UInt32) {
        tally.counters.kernelDrops &+= UInt64(drops &- lastDrops)
        lastDrops = drops
    }
}
