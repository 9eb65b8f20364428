// Which of our connections are bound to an address that is gone, or is not the one to use any more.
//
// A worker makes one when it is told of a change of the network, and shows it every upstream connection. A TCP
// connection from a vanished address gets no error for minutes: nothing comes back, and nobody says so. It only looks;
// closing is the transports'.

import CLinux
import ForwarderCore

/// One look over a worker's upstream connections.
struct BindingCheck {
    private let change: NetworkChange
    /// By the peer's address: what the kernel would choose now, asked once each.
    private var chosen: [NetworkAddress: NetworkAddress?] = [:]

    init(_ change: NetworkChange) { self.change = change }

    /// Whether the socket `number`, connected to `peer`, has to be given up.
    mutating func isStale(_ number: Int32, peer: Endpoint) -> Bool {
        guard let local = BindingCheck.local(number) else { return false }
        let isGone = !local.isLoopback && !change.addresses.contains(local)
        guard change.asksRoutes else { return isGone }
        // Without a way there, the address decides: it may be the link's cable that is out for a second.
        guard let now = choice(toward: peer) else { return isGone }
        return now != local
    }

    private mutating func choice(toward peer: Endpoint) -> NetworkAddress? {
        if let known = chosen[peer.address] { return known }
        let fresh = BindingCheck.source(toward: peer)
        chosen.updateValue(fresh, forKey: peer.address)
        return fresh
    }

    /// The address that a new socket would have: a UDP connect sends nothing, it only chooses.
    static func source(toward peer: Endpoint) -> NetworkAddress? {
        let number = cl_socket_datagram(peer.address.isIPv6 ? 6 : 4)
        guard number >= 0 else { return nil }
        let descriptor = FileDescriptor(owning: number)
        return cl_connect(descriptor.number, cl_address(peer)) == 0 ? local(descriptor.number) : nil
    }

    /// The address that a socket is bound to; nil while it has none.
    private static func local(_ number: Int32) -> NetworkAddress? {
        var address = cl_address()
        // Safety: `address` outlives the call.
        guard unsafe cl_local_address(number, &address) == 0, let local = address.networkAddress else { return nil }
        return local.isWildcard ? nil : local
    }
}

extension NetworkAddress {
    /// 127.0.0.0/8, ::1, and the first one mapped into IPv6.
    var isLoopback: Bool {
        let plain = unmapped
        return plain.isIPv6 ? plain.high == 0 && plain.low == 1 : plain.low >> 24 == 127
    }
}
