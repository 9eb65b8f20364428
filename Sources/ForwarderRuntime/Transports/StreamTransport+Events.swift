// What the worker's loop learns of an upstream connection: connected, handshake, bytes, the end.
//
// The worker calls `ready`. Nothing is told to the engine before the channel is open, which for TLS means that the
// certificate was verified (RFC 8310 section 8). It must never read one connection without a bound.

import CLinux
import DNSWire
import ForwarderCore
import Glibc

extension StreamTransport {
    /// Reads of 64 KiB in one wakeup from one connection: the others must have their turn.
    static let readLimit = 4
    /// TLS records in one wakeup from one connection, and after them only what OpenSSL holds already.
    static let recordLimit = 256

    /// Something happened on a connection: tells the engine.
    mutating func ready(
        _ id: ConnectionID, _ readiness: Readiness, engine: inout Engine, now: Instant, into out: inout ActionBuffer
    ) {
        guard let connection = connection(id) else { return }
        let failure: TransportFailure?
        switch connection.phase {
        case .connecting:
            failure = connected(connection, readiness, engine: &engine, now: now, into: &out)
        case .handshaking:
            failure = shakeHands(connection, engine: &engine, now: now, into: &out)
        case .open:
            failure = transfer(connection, readiness, engine: &engine, now: now, into: &out)
        }
        if let failure {
            close(id)
            engine.connectionLost(id, failure, now: now, into: &out)
        }
    }

    // MARK: - Beginning

    private mutating func connected(
        _ connection: StreamConnection, _ readiness: Readiness, engine: inout Engine, now: Instant,
        into out: inout ActionBuffer
    ) -> TransportFailure? {
        let code = cl_get_option(connection.descriptor.number, SOL_SOCKET, SO_ERROR)
        if code != 0 { return TransportFailure(errno: abs(code), during: .transfer) }
        guard readiness.contains(.write) else { return nil }
        SocketOptions.quickAcknowledge(connection.descriptor.number)
        guard case .tls = connection.channel else { return begin(connection, engine: &engine, now: now, into: &out) }
        connection.phase = .handshaking
        return shakeHands(connection, engine: &engine, now: now, into: &out)
    }

    private mutating func shakeHands(
        _ connection: StreamConnection, engine: inout Engine, now: Instant, into out: inout ActionBuffer
    ) -> TransportFailure? {
        guard case .tls(let session) = connection.channel else { return .protocolError }
        let step = session.shakeHands()
        connection.readWaitsForWrite = step == .wantsWrite
        switch step {
        case .wantsRead, .wantsWrite:
            SocketOptions.quickAcknowledge(connection.descriptor.number)
            settle(connection)
            return nil
        case .failed(let failure): return failure
        case .done:
            tally.counters.tlsHandshakes &+= 1
            if session.isResumed { tally.counters.tlsResumed &+= 1 }
            if let failure = begin(connection, engine: &engine, now: now, into: &out) { return failure }
            // What came along with the last flight lies in OpenSSL: the socket will not tell of it.
            guard session.hasPending else { return nil }
            return read(connection, session, engine: &engine, now: now, into: &out)
        }
    }

    /// Queries may be sent from here on.
    private mutating func begin(
        _ connection: StreamConnection, engine: inout Engine, now: Instant, into out: inout ActionBuffer
    ) -> TransportFailure? {
        connection.phase = .open
        if connection.headers != nil, let failure = beginSession(connection) { return failure }
        engine.connectionOpened(connection.id, now: now, into: &out)
        // A session's preface leaves with the first requests, which the engine has just asked for.
        return connection.http2 == nil ? write(connection) : nil
    }

    // MARK: - Bytes

    private mutating func transfer(
        _ connection: StreamConnection, _ readiness: Readiness, engine: inout Engine, now: Instant,
        into out: inout ActionBuffer
    ) -> TransportFailure? {
        let isWritable = readiness.contains(.write)
        if isWritable && connection.blocked, let failure = write(connection) { return failure }
        let isReadable = !readiness.isDisjoint(with: [.read, .error, .hangUp])
        if isReadable || (isWritable && connection.readWaitsForWrite) {
            let failure: TransportFailure?
            switch connection.channel {
            case .plain: failure = read(connection, engine: &engine, now: now, into: &out)
            case .tls(let session): failure = read(connection, session, engine: &engine, now: now, into: &out)
            }
            if let failure { return failure }
            if connection.writeWaitsForRead, let failure = write(connection) { return failure }
        }
        settle(connection)
        return nil
    }

    /// Returns why the connection ended, nil while it lives.
    private mutating func read(
        _ connection: StreamConnection, engine: inout Engine, now: Instant, into out: inout ActionBuffer
    ) -> TransportFailure? {
        for _ in 0..<StreamTransport.readLimit {
            let count = buffer.read(from: connection.descriptor.number)
            if count == -Int(EAGAIN) { break }
            if count == 0 { return connection.writeFailure ?? .closedByPeer }
            if count < 0 { return TransportFailure(errno: Int32(clamping: -count), during: .transfer) }
            let failure = buffer.withBytes(count) { chunk in
                StreamTransport.received(chunk, connection, engine: &engine, now: now, into: &out)
            }
            if let failure { return failure }
            if count < StreamBuffer.size { break }
        }
        SocketOptions.quickAcknowledge(connection.descriptor.number)
        return nil
    }

    /// The same through TLS. OpenSSL reads ahead, all records that have come with one system call, so the socket may be
    /// silent while records wait: those are read to the end. Past the limit it reads no further ahead, and what it
    /// holds, 16 KiB at most, ends the loop.
    private mutating func read(
        _ connection: StreamConnection, _ session: TLSSession, engine: inout Engine, now: Instant,
        into out: inout ActionBuffer
    ) -> TransportFailure? {
        connection.readWaitsForWrite = false
        var records = 0
        reading: repeat {
            if records == StreamTransport.recordLimit { session.setReadAhead(false) }
            records += 1
            switch buffer.read(from: session) {
            case .done(let count):
                let failure = buffer.withBytes(count) { chunk in
                    StreamTransport.received(chunk, connection, engine: &engine, now: now, into: &out)
                }
                if let failure { return failure }
            case .wantsRead: break reading
            case .wantsWrite:
                connection.readWaitsForWrite = true
                break reading
            case .failed(.closedByPeer): return connection.writeFailure ?? .closedByPeer
            case .failed(let failure): return failure
            }
        } while session.hasPending
        if records > StreamTransport.recordLimit { session.setReadAhead(true) }
        settleSession(connection)
        SocketOptions.quickAcknowledge(connection.descriptor.number)
        return nil
    }

    /// Bytes of the peer, decrypted: cuts them into messages for the engine.
    private static func received(
        _ chunk: Span<UInt8>, _ connection: StreamConnection, engine: inout Engine, now: Instant,
        into out: inout ActionBuffer
    ) -> TransportFailure? {
        if let http2 = connection.http2 {
            return http2.receive(chunk, into: &connection.output) { event, body in
                tell(event, body, connection.id, engine: &engine, now: now, into: &out)
            }
        }
        let outcome = connection.frames.consume(chunk) { message in
            engine.upstreamSent(message, on: connection.id, now: now, into: &out)
            return true
        }
        return outcome == .invalid ? .protocolError : nil
    }
}
