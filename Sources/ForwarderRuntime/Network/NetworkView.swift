// What the machine's network looks like to us at one moment, and whether two moments differ in what matters.
//
// NetworkWatch takes a view after events and compares it with the last one. On a machine with containers there are
// events all the time; what matters is only how our own upstreams are reached. Pure values: nothing is asked here.

import ForwarderCore

/// How packets to one destination leave.
struct NetworkPath: Equatable, Sendable {
    /// The local address that the kernel would choose; nil where it names none.
    var source: NetworkAddress?
    /// Interface index.
    var link: UInt32
    /// nil = the destination is on the link.
    var gateway: NetworkAddress?
    /// Whether the link can carry packets.
    var isUp = true
}

/// The network at one moment.
struct NetworkView: Equatable, Sendable {
    /// All addresses of this machine.
    var addresses: Set<NetworkAddress> = []
    /// By destination; nil inside = no way there.
    var paths: [NetworkAddress: NetworkPath?] = [:]

    /// What the workers have to know, or nil when nothing that matters is different.
    ///
    /// - Parameters:
    ///   - interrupted: links that were down in between, and sources that were gone in between: a view alone cannot
    ///     tell that.
    func change(to new: NetworkView, interrupted: Interruptions) -> NetworkChange? {
        var change = NetworkChange(addresses: new.addresses)
        for (destination, after) in new.paths {
            guard let before = paths[destination] else { continue }
            change.watched += 1
            guard let after, after.isUp else {
                if before?.isUp ?? false { change.cut += 1 }
                // The way is gone, or it is another one that does not work yet.
                if before != after { change.asksRoutes = true }
                continue
            }
            if before != after || interrupted.concern(after) { change.rerouted += 1 }
        }
        change.asksRoutes = change.asksRoutes || change.rerouted > 0
        return change.asksRoutes || !addresses.subtracting(new.addresses).isEmpty ? change : nil
    }
}

/// What was away between two views, perhaps only for a moment.
struct Interruptions: Equatable, Sendable {
    var links: Set<UInt32> = []
    var sources: Set<NetworkAddress> = []

    func concern(_ path: NetworkPath) -> Bool {
        links.contains(path.link) || path.source.map { sources.contains($0) } ?? false
    }
}

/// A change of the network, as workers are told.
public struct NetworkChange: Equatable, Sendable {
    /// The machine's addresses now.
    public var addresses: Set<NetworkAddress>
    /// Whether ways have changed: for each connection the kernel is asked which address it would choose now.
    public var asksRoutes = false
    /// Destinations that are reached another way, or again.
    public var rerouted = 0
    /// Destinations that cannot be reached any more.
    public var cut = 0
    /// Destinations that were compared.
    public var watched = 0

    /// Whether connections are worth opening anew: there is a way that was not there before.
    public var reopens: Bool { rerouted > 0 }

    init(addresses: Set<NetworkAddress>) { self.addresses = addresses }

    /// Takes in a later change that was not yet looked at.
    mutating func merge(_ later: NetworkChange) {
        addresses = later.addresses
        asksRoutes = asksRoutes || later.asksRoutes
        rerouted = max(rerouted, later.rerouted)
        cut = later.cut
        watched = later.watched
    }
}
