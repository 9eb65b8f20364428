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

/// Why an HTTP request of one query failed while its connection lives on.
public enum RequestFailure: Hashable, Sendable {
    /// REFUSED_STREAM, or a stream above GOAWAY's last one: it was not looked at, asking again is free (RFC 9113 8.7).
    case refused
    /// RST_STREAM with another code.
    case reset
    /// A status other than 2xx that names no time: 4xx is a configuration failure, 3xx is never followed.
    case status(Int)
    /// 429 or 503: not before so many seconds.
    case retryAfter(Int)
    /// Not application/dns-message.
    case contentType
    /// More than 65,535 octets.
    case tooLong
    /// The stream ended without a whole message.
    case incomplete

    /// The words that logs use.
    public var words: String {
        switch self {
        case .refused: "request refused"
        case .reset: "request reset"
        case .status(let code): "HTTP status \(code)"
        case .retryAfter(let seconds): "asks to come back in \(seconds) s"
        case .contentType: "wrong content type"
        case .tooLong: "response too long"
        case .incomplete: "response cut short"
        }
    }
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
    /// The local address that a connection is bound to is gone, or is not the one to use any more.
    case addressGone
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
    /// A frame that no DNS server sends (length below 12), an HTTP/2 connection error.
    case protocolError
    /// The TLS handshake did not end in time.
    case handshakeTimedOut
    /// The peer ended the handshake or the connection with a TLS alert, or spoke no TLS.
    case tlsAlert
    /// The certificate is not for the name or address of the URL.
    case wrongName
    case certificateExpired
    /// Not valid yet: this machine's clock may be wrong.
    case certificateNotYetValid
    case untrustedIssuer
    /// No certificate of the chain has a pinned key.
    case pinMismatch
    /// The peer does not speak HTTP/2 (ALPN).
    case wrongALPN
    /// Anything else, with errno.
    case other(Int32)

    public var fault: Fault {
        switch self {
        case .refused, .reset, .closedByPeer, .protocolError, .tlsAlert, .wrongName, .certificateExpired,
            .certificateNotYetValid, .untrustedIssuer, .pinMismatch, .wrongALPN:
            .upstream
        case .timedOut, .handshakeTimedOut, .hostUnreachable, .messageTooLong: .path
        case .networkUnreachable, .addressGone, .noPorts, .noDescriptors, .noBuffers, .notPermitted, .other: .local
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
        case .addressGone: "local address gone"
        case .noPorts: "no free port"
        case .noDescriptors: "no free descriptor"
        case .noBuffers: "no buffer space"
        case .notPermitted: "not permitted"
        case .messageTooLong: "message too long"
        case .protocolError: "protocol error"
        case .handshakeTimedOut: "TLS handshake timeout"
        case .tlsAlert: "TLS alert"
        case .wrongName: "certificate for another name"
        case .certificateExpired: "certificate expired (is this machine's clock right?)"
        case .certificateNotYetValid: "certificate not valid yet (is this machine's clock right?)"
        case .untrustedIssuer: "certificate of an untrusted issuer"
        case .pinMismatch: "no certificate has the pinned key"
        case .wrongALPN: "no HTTP/2 (ALPN)"
        case .other(let code): "errno \(code)"
        }
    }
}
