// A TCP socket that clients connect to, one a worker and address (SO_REUSEPORT).
//
// It accepts a bounded number at a time. When descriptors run out it takes the waiting connections with its reserve
// descriptor and closes them, then rests: without that a level-triggered loop would spin on the same event.

import CLinux
import ForwarderCore
import Glibc

/// A listening TCP socket.
final class TCPListener {
    /// Connections accepted in one wakeup.
    static let acceptLimit = 64
    static let rest = Interval.milliseconds(100)

    enum Accepted: ~Copyable {
        case connection(FileDescriptor, Endpoint)
        /// A connection that was gone before we came, or of a foreign family.
        case skipped
        /// No descriptor is left, but the reserve served to close one waiting connection.
        case turnedAway
        case nothing
        /// No descriptor is left: stop polling until `rest` has passed.
        case exhausted
    }

    private let socket: BoundSocket
    let index: UInt16
    private var reserve: FileDescriptor?
    /// While set, the listener is not polled.
    var restingUntil: Instant?

    /// Makes the socket.
    static func bind(_ address: ListenAddress, settings: RuntimeSettings) throws(SystemError) -> BoundSocket {
        let endpoint = address.endpoint
        let isIPv6 = endpoint.address.isIPv6
        let socket = try FileDescriptor(checking: cl_socket_stream(isIPv6 ? 6 : 4))
        let number = socket.number
        try SocketOptions.listener(number, isIPv6: isIPv6, freebind: settings.freebind)
        // A restart must not wait for TIME_WAIT of the connections before it.
        try SocketOptions.set(number, SOL_SOCKET, SO_REUSEADDR, 1)
        var result = cl_bind(number, cl_address(endpoint))
        if result == 0 { result = cl_listen(number, 512) }
        if result < 0 { throw SystemError(code: -result) }
        return BoundSocket(socket, address: address, isStream: true)
    }

    init(_ socket: BoundSocket, index: UInt16) {
        self.socket = socket
        self.index = index
        refillReserve()
    }

    var number: Int32 { socket.descriptor.number }
    var token: EventToken { EventToken(.tcpListener, slot: UInt32(index)) }

    /// Accepts one connection.
    func accept() -> Accepted {
        var peer = cl_address()
        // Safety: `peer` outlives the call.
        let accepted = unsafe cl_accept(number, &peer)
        if accepted >= 0 {
            let connection = FileDescriptor(owning: accepted)
            guard let endpoint = peer.endpoint else { return .skipped }
            return .connection(connection, endpoint)
        }
        switch -accepted {
        case EAGAIN: return .nothing
        case EMFILE, ENFILE: return turnAwayOne() ? .turnedAway : .exhausted
        case ENOBUFS, ENOMEM: return .exhausted
        // ECONNABORTED and the network errors that accept passes on belong to that connection alone.
        default: return .skipped
        }
    }

    /// Uses the reserve descriptor to take one connection and close it, so that its client learns at once. False when
    /// that did not work: another thread was quicker to the descriptor.
    private func turnAwayOne() -> Bool {
        guard reserve != nil else {
            refillReserve()
            return false
        }
        reserve = nil
        var peer = cl_address()
        // Safety: `peer` outlives the call.
        let accepted = unsafe cl_accept(number, &peer)
        if accepted >= 0 { _ = cl_close(accepted) }
        refillReserve()
        return accepted >= 0
    }

    private func refillReserve() {
        let null = cl_open_null()
        if null >= 0 { reserve = FileDescriptor(owning: null) }
    }
}
