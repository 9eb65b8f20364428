// Hears of changes of the machine's network, and tells those that matter to the pools.
//
// The main thread owns it: it waits for `number`, calls `take` when there is something and `look` when it is time. An
// event only says when to look; what counts is how the kernel would reach our upstreams then, compared with before. So
// an event that was lost, or one of a container's, does no harm. It must never wait for anything.

import CLinux
import ForwarderCore
import Glibc

/// The watch over addresses, routes and links.
public final class NetworkWatch {
    /// Upstream addresses beyond these are not compared one by one; a change of the default route is seen all the same.
    static let destinationLimit = 256
    /// Events read in one wakeup; what is left is told again.
    static let receiveLimit = 64
    /// Room for bursts: a thousand containers that go down at once.
    static let receiveBuffer = 1 << 20

    /// Stand for "anywhere" where upstreams have host names, whose addresses only the workers know: addresses of a root
    /// server. Nothing is sent there.
    public static let anywhere = [
        NetworkAddress(ipv4: 0xc629_0004), NetworkAddress(high: 0x2001_0503_ba3e_0000, low: 0x0002_0030),
    ]

    private let socket: FileDescriptor
    private let kernel: KernelRoutes
    private var destinations: [NetworkAddress] = []
    private var view = NetworkView()
    private var debounce = Debounce()
    private var interrupted = Interruptions()
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)

    /// Begins to watch. Throws where the system has no such sockets (a sandbox without AF_NETLINK).
    public init(destinations: [NetworkAddress]) throws(SystemError) {
        // Links, IPv4 and IPv6: addresses, routes, rules (RTNLGRP_* of linux/rtnetlink.h).
        let groups: [Int32] = [1, 5, 7, 8, 9, 11, 19]
        let number = unsafe groups.withUnsafeBufferPointer { groups in
            // Safety: the count is the buffer's own.
            unsafe cl_netlink_open(groups.baseAddress, Int32(groups.count))
        }
        socket = try FileDescriptor(checking: number)
        SocketOptions.receiveBuffer(socket.number, NetworkWatch.receiveBuffer)
        kernel = try KernelRoutes()
        watch(destinations)
        view.addresses = kernel.localAddresses() ?? []
    }

    /// For poll.
    public var number: Int32 { socket.number }
    /// When `look` is due; nil = nothing has happened.
    public var dueAt: Instant? { debounce.dueAt }
    /// The machine's addresses, as of the last look.
    public var addresses: Set<NetworkAddress> { view.addresses }

    /// Changes what is compared. New destinations are taken as they are now.
    public func watch(_ wanted: [NetworkAddress]) {
        var seen: Set<NetworkAddress> = []
        destinations = Array(wanted.filter { seen.insert($0).inserted }.prefix(NetworkWatch.destinationLimit))
        view.paths = view.paths.filter { destinations.contains($0.key) }
        for destination in destinations where !view.paths.keys.contains(destination) {
            view.paths.updateValue(kernel.path(to: destination), forKey: destination)
        }
    }

    /// Reads the events that have come.
    public func take(now: Instant) {
        for _ in 0..<NetworkWatch.receiveLimit {
            let count = unsafe buffer.withUnsafeMutableBytes { bytes in
                // Safety: the length is the buffer's own.
                unsafe cl_receive(socket.number, bytes.baseAddress, bytes.count)
            }
            if count == -Int(EAGAIN) { return }
            // ENOBUFS: there were more than the kernel kept for us. Whatever they said, looking finds it.
            debounce.note(now)
            if count > 0 { note(Array(buffer[0..<count])) }
        }
    }

    /// Keeps what a later look could not see: what was away only for a moment.
    func note(_ bytes: [UInt8]) {
        var reader = NetlinkReader(bytes)
        while let message = reader.next() {
            if let link = reader.link(message), !link.isRunning, view.uses(link: link.index) {
                interrupted.links.insert(link.index)
            } else if message.type == NetlinkMessage.deletedAddress, let address = reader.address(message),
                view.uses(source: address)
            {
                interrupted.sources.insert(address)
            }
        }
    }

    /// Compares when it is time. Returns what the workers must know, or nil.
    public func look(now: Instant) -> NetworkChange? {
        guard debounce.take(now) else { return nil }
        var new = NetworkView(addresses: kernel.localAddresses() ?? view.addresses)
        for destination in destinations { new.paths.updateValue(kernel.path(to: destination), forKey: destination) }
        defer {
            view = new
            interrupted = Interruptions()
        }
        return view.change(to: new, interrupted: interrupted)
    }
}

extension NetworkView {
    func uses(link: UInt32) -> Bool { paths.values.contains { $0?.link == link } }
    func uses(source: NetworkAddress) -> Bool { paths.values.contains { $0?.source == source } }
}
