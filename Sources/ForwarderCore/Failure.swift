// What went wrong, and whose fault it is. One closed list, used by pools, selection, counters, logs and EDE alike.

/// Whose fault a failure is. A local failure never marks an upstream down.
public enum Fault: UInt8, Sendable, CaseIterable {
    /// Our own machine: ports, descriptors, buffers, no route.
    case local
    /// Between us and the upstream.
    case path
    /// The upstream itself.
    case upstream
    /// This question only.
    case name

    /// Index into counters by fault.
    public var rawIndex: Int { Int(rawValue) }
}

/// A failure of a connection as the runtime saw it.
public enum TransportFailure: Hashable, Sendable {
    /// ECONNREFUSED: nobody listens there.
    case refused
    /// ECONNRESET, EPIPE.
    case reset
    /// The peer closed (FIN).
    case closedByPeer
    /// ETIMEDOUT of the kernel, or connect_timeout.
    case timedOut
    /// EHOSTUNREACH.
    case hostUnreachable
    /// ENETUNREACH, EADDRNOTAVAIL while connecting: no route or no address here.
    case networkUnreachable
    /// No free port (EADDRINUSE, EADDRNOTAVAIL while binding).
    case noPorts
    /// EMFILE, ENFILE.
    case noDescriptors
    /// ENOBUFS, ENOMEM, a full send queue.
    case noBuffers
    /// EPERM, EACCES: a packet filter or a sandbox of this machine.
    case notPermitted
    /// EMSGSIZE.
    case messageTooLong
    /// A frame that no DNS server sends (length below 12).
    case protocolError
    /// Anything else, with errno.
    case other(Int32)

    public var fault: Fault {
        switch self {
        case .refused, .reset, .closedByPeer, .protocolError: .upstream
        case .timedOut, .hostUnreachable, .messageTooLong: .path
        case .networkUnreachable, .noPorts, .noDescriptors, .noBuffers, .notPermitted, .other: .local
        }
    }

    /// The word that logs, counters and EDE texts use.
    public var word: String {
        switch self {
        case .refused: "refused"
        case .reset: "reset"
        case .closedByPeer: "closed"
        case .timedOut: "timeout"
        case .hostUnreachable: "host unreachable"
        case .networkUnreachable: "network unreachable"
        case .noPorts: "no free port"
        case .noDescriptors: "no free descriptor"
        case .noBuffers: "no buffer space"
        case .notPermitted: "not permitted"
        case .messageTooLong: "message too long"
        case .protocolError: "protocol error"
        case .other(let code): "errno \(code)"
        }
    }
}
