// Queries as HTTP/2 requests over TLS connections (RFC 8484).
//
// ActionRunner asks, cancels and probes; what HTTP2Session makes of the peer's octets is told to the engine. Frames go
// to the connection's output, and `flush` writes all of a batch as one TLS record. It must never ask on a connection
// whose certificate and ALPN were not checked: only `beginSession`, after the handshake, makes a session.

import CLinux
import DNSWire
import ForwarderCore

extension StreamTransport {
    /// What became of a request.
    enum Asking: Equatable {
        /// It is on its way; or its connection is gone, and that was told.
        case asked
        /// The session takes no more; the connection lives on.
        case refused(RequestFailure)
        /// The peer does not read: the connection was closed.
        case lost(TransportFailure)
    }

    /// Begins HTTP/2 on a connection whose handshake is over: the preface and SETTINGS are queued.
    mutating func beginSession(_ connection: StreamConnection) -> TransportFailure? {
        guard let headers = connection.headers, let session = HTTP2Session(headers: headers) else { return .noBuffers }
        connection.http2 = session
        session.drain(into: &connection.output)
        touch(connection)
        return nil
    }

    /// Sends a message (id 0) as a request.
    mutating func request(
        _ id: ConnectionID, _ attempt: AttemptID, _ bytes: borrowing ByteWriter, offset: Int, count: Int
    ) -> Asking {
        guard let connection = connection(id), connection.writeFailure == nil else { return .asked }
        guard let session = connection.http2 else { return .refused(.refused) }
        // What does not fit into the output is copied by the session: a peer that reads nothing must not gather it.
        if connection.output.count >= HTTP2Session.outputLimit {
            close(id)
            return .lost(.noBuffers)
        }
        let failure = bytes.withSpan(offset, count) { session.send(attempt, $0, into: &connection.output) }
        touch(connection)
        return failure.map { .refused($0) } ?? .asked
    }

    /// Resets the stream of a request that nobody waits for.
    mutating func cancel(_ id: ConnectionID, _ attempt: AttemptID) {
        guard let connection = connection(id), let session = connection.http2 else { return }
        session.cancel(attempt)
        touch(connection)
    }

    /// Sends a PING.
    mutating func probe(_ id: ConnectionID) {
        guard let connection = connection(id), let session = connection.http2 else { return }
        session.probe()
        touch(connection)
    }

    /// Has acknowledgements and window updates written with whatever the batch brings, and keeps an idle connection
    /// small.
    mutating func settleSession(_ connection: StreamConnection) {
        guard let session = connection.http2 else { return }
        if !connection.output.isEmpty {
            touch(connection)
        } else if session.openCount == 0 {
            connection.output.shrink()
        }
    }

    /// GOAWAY before close_notify (RFC 9113 section 6.8), if the socket takes it.
    func sayGoodbye(_ connection: StreamConnection) {
        guard let session = connection.http2, connection.mayWrite else { return }
        session.finish()
        session.drain(into: &connection.output)
        _ = send(connection)
    }

    /// Tells the engine what happened on a session.
    static func tell(
        _ event: HTTP2Event, _ body: Span<UInt8>, _ id: ConnectionID, engine: inout Engine, now: Instant,
        into out: inout ActionBuffer
    ) {
        switch event {
        case .answered(let attempt, let age, let freshness):
            engine.upstreamAnswered(body, to: attempt, on: id, age: age, freshness: freshness, now: now, into: &out)
        case .failed(let attempt, let failure): engine.requestFailed(attempt, on: id, failure, now: now, into: &out)
        case .capacity(let streams): engine.connectionCapacity(id, streams: streams, now: now, into: &out)
        case .retiring: engine.connectionRetiring(id, now: now, into: &out)
        case .heard: engine.connectionHeard(id, now: now)
        }
    }
}

extension TLSSession {
    /// Encrypts all of `output` that the socket takes. `.done` when nothing is left.
    func write(_ output: inout OutputQueue) -> Step {
        var end = Step.done(count: 0)
        // Safety: the bytes are lent for the call and not kept: OpenSSL copies what it cannot send.
        unsafe output.drain { bytes in
            end = unsafe write(bytes)
            if case .done(let count) = end { return count }
            return 0
        }
        return end
    }
}
