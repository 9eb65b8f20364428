// One pooled connection to an upstream: its socket, what its bytes go through, and how far it has come.
//
// StreamTransport owns these. Connecting, then (TLS) the handshake, then open; queries are written only then.

import ForwarderCore

/// What lies between the socket and the messages.
enum Channel {
    /// DNS over TCP: frames as they are.
    case plain
    /// DNS over TLS: the same frames, encrypted.
    case tls(TLSSession)
}

/// One TCP connection to an upstream.
final class StreamConnection {
    enum Phase { case connecting, handshaking, open }

    let descriptor: FileDescriptor
    let id: ConnectionID
    let peer: Endpoint
    let channel: Channel
    /// The fields of HTTPS requests, nil when queries are framed with a length.
    let headers: RequestHeaders?
    var phase = Phase.connecting
    var frames = FrameReader()
    var output = OutputQueue()
    /// DNS over HTTPS: what cuts the bytes instead of `frames`, from the moment that the connection is open.
    var http2: HTTP2Session?
    /// Writing waits for EPOLLOUT.
    var blocked = false
    /// The reverse crossings, which TLS may ask for: a write waits for bytes of the peer, a read for room to write.
    var writeWaitsForRead = false
    var readWaitsForWrite = false
    /// In the transport's list of those that have something to write.
    var touched = false
    /// A write failed: what has arrived is still read, then this is told.
    var writeFailure: TransportFailure?
    var interest: Readiness = .write

    init(
        _ descriptor: consuming FileDescriptor, id: ConnectionID, peer: Endpoint, channel: Channel,
        headers: RequestHeaders?
    ) {
        self.descriptor = descriptor
        self.id = id
        self.peer = peer
        self.channel = channel
        self.headers = headers
    }

    var isOpen: Bool { phase == .open }
    /// Nothing stands in the way of a write.
    var mayWrite: Bool { isOpen && !blocked && !writeWaitsForRead && writeFailure == nil }
    var token: EventToken { EventToken(.stream, slot: UInt32(id.slot), generation: UInt32(id.generation)) }
}
