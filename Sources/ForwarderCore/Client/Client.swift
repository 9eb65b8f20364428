// Where a query came from, and so where its response goes. The runtime makes it and gets it back unchanged.

/// The way back to a client.
public enum ReplyPath: Hashable, Sendable {
    /// Through listener `listener`'s UDP socket; from `local` when the listener is bound to a wildcard address.
    case datagram(listener: UInt16, local: NetworkAddress?)
    /// On a client's TCP connection, by slot and generation of the runtime's table.
    case stream(slot: UInt32, generation: UInt32)
}

/// One client, for the length of one query.
public struct Client: Sendable {
    public var endpoint: Endpoint
    public var path: ReplyPath
    public init(endpoint: Endpoint, path: ReplyPath) {
        self.endpoint = endpoint
        self.path = path
    }
    public var isStream: Bool { if case .stream = path { true } else { false } }
}
