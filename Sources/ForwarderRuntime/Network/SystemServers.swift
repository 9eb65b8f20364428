// The machine's own name servers, for `upstreams = ["system"]`, and that they changed.
//
// The main thread owns it: reads at start, waits for `number` (inotify), reads again after events, after a change of
// the network, and now and then, because a file that was mounted over another one tells nobody. It never gives a
// loopback address or one of our own listeners: a resolver that asks itself answers nothing.

import CLinux
import ForwarderCore
import Glibc

/// Follows the machine's servers.
public final class SystemServers {
    /// As glibc (MAXNS).
    public static let limit = 3
    public static let port: UInt16 = 53

    /// What was found.
    public struct Found: Equatable, Sendable {
        public var endpoints: [Endpoint] = []
        /// The file or directory that they come from; empty = no file was there.
        public var source = ""
    }

    private let files: SystemFiles
    private let listen: [Endpoint]
    /// inotify; nil where the system gives none (its limit is reached): the reading now and then must do.
    private var events: FileDescriptor?
    private var debounce = Debounce()
    public private(set) var found = Found()

    /// - Parameters:
    ///   - root: goes before all paths; empty but in tests.
    ///   - listen: our own listeners.
    public init(root: String = "", listen: [Endpoint]) {
        files = SystemFiles(root: root)
        self.listen = listen
        let number = cl_inotify_open()
        events = number >= 0 ? FileDescriptor(owning: number) : nil
    }

    /// For poll; -1 = there is nothing to wait for.
    public var number: Int32 { events?.number ?? -1 }
    /// When to read again; nil = no file has changed.
    public var dueAt: Instant? { debounce.dueAt }

    /// Reads what inotify has to say; `isDue` tells when to look.
    public func take(now: Instant) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        for _ in 0..<64 {
            let count = unsafe buffer.withUnsafeMutableBytes { bytes in
                // Safety: the length is the buffer's own.
                unsafe cl_read(number, bytes.baseAddress, bytes.count)
            }
            if count <= 0 { break }
        }
        debounce.note(now)
    }

    /// Whether a series of events is over; once each.
    public func isDue(now: Instant) -> Bool { debounce.take(now) }

    /// Reads the files. Returns whether there are other servers than before.
    ///
    /// - Parameter own: the machine's addresses.
    public func read(own: Set<NetworkAddress>) -> Bool {
        // Before reading: what changes in between is told.
        watch()
        let before = found
        found = Found()
        for place in files.places() {
            found.source = place.path
            found.endpoints = usable(place.servers, own: own)
            if !found.endpoints.isEmpty { break }
        }
        return found != before
    }

    private func usable(_ servers: [NetworkAddress], own: Set<NetworkAddress>) -> [Endpoint] {
        var usable: [Endpoint] = []
        for server in servers where usable.count < SystemServers.limit {
            let endpoint = Endpoint(address: server, port: SystemServers.port)
            if mayBeAsked(endpoint, own: own) && !usable.contains(endpoint) { usable.append(endpoint) }
        }
        return usable
    }

    private func mayBeAsked(_ endpoint: Endpoint, own: Set<NetworkAddress>) -> Bool {
        let address = endpoint.address
        // The wildcard address leads to this machine too. Multicast is no server's. A link-local address without its
        // link leads nowhere.
        let isMulticast = address.isIPv6 ? address.high >> 56 == 0xff : address.low >> 28 >= 0xe
        if address.isLoopback || address.isWildcard || isMulticast { return false }
        if address.isLinkLocal && address.scope == 0 { return false }
        return !listen.contains { listener in
            guard listener.port == endpoint.port else { return false }
            if listener.address.isWildcard {
                return listener.address.isIPv6 == address.isIPv6 && own.contains(address)
            }
            return listener.address.unmapped == address
        }
    }

    private func watch() {
        guard let number = events?.number else { return }
        for (path, isDirectory) in files.watched() {
            // Safety: the path is terminated and outlives the call.
            _ = unsafe path.withCString { unsafe cl_inotify_watch(number, $0, isDirectory ? 1 : 0) }
        }
    }
}
