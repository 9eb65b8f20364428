// The server's end of a TLS connection, and a client session over a socket pair, pumped by turns.

import CLinux
import COpenSSL
import ForwarderCore
import Glibc
import Testing

@testable import ForwarderRuntime

/// What a test's server does.
struct TLSServerHabits {
    var maximumVersion = TLS1_3_VERSION
    /// nil = selects no protocol.
    var selects: [UInt8]?
    /// Protocols are refused with an alert.
    var refusesProtocols = false
}

/// A server's SSL_CTX.
@safe final class TLSServer {
    let context: OpaquePointer
    let habits: TLSServerHabits

    init?(_ identity: TLSIdentity, _ habits: TLSServerHabits = TLSServerHabits()) {
        guard let made = unsafe SSL_CTX_new(TLS_server_method()) else { return nil }
        unsafe context = made
        self.habits = habits
        guard unsafe SSL_CTX_use_certificate(context, identity.certificate) == 1,
            unsafe SSL_CTX_use_PrivateKey(context, identity.key) == 1
        else { return nil }
        // SSL_CTRL_SET_MAX_PROTO_VERSION
        guard unsafe SSL_CTX_ctrl(context, 124, Int(habits.maximumVersion), nil) == 1 else { return nil }
        unsafe SSL_CTX_set_alpn_select_cb(
            context,
            { _, out, length, offered, count, argument in
                guard let argument = unsafe argument, let offered = unsafe offered else { return SSL_TLSEXT_ERR_NOACK }
                let server = unsafe Unmanaged<TLSServer>.fromOpaque(argument).takeUnretainedValue()
                if server.habits.refusesProtocols { return SSL_TLSEXT_ERR_ALERT_FATAL }
                guard let wanted = server.habits.selects else { return SSL_TLSEXT_ERR_NOACK }
                var position = 0
                while position < Int(count) {
                    let size = unsafe Int(offered[position])
                    let name = unsafe Array(UnsafeBufferPointer(start: offered + position + 1, count: size))
                    if name == wanted {
                        unsafe out?.pointee = unsafe offered + position + 1
                        unsafe length?.pointee = UInt8(size)
                        return SSL_TLSEXT_ERR_OK
                    }
                    position += size + 1
                }
                return SSL_TLSEXT_ERR_NOACK
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit { unsafe SSL_CTX_free(context) }
}

/// One accepted connection.
@safe final class TLSPeer {
    let ssl: OpaquePointer
    private let server: TLSServer

    init?(_ server: TLSServer, descriptor: Int32) {
        guard let made = unsafe SSL_new(server.context) else { return nil }
        unsafe ssl = made
        self.server = server
        unsafe SSL_set_accept_state(ssl)
        _ = unsafe SSL_set_fd(ssl, descriptor)
    }

    deinit { unsafe SSL_free(ssl) }

    /// True once the handshake is done.
    func shakeHands() -> Bool { unsafe tls_handshake(ssl).code == 0 }

    @discardableResult
    func write(_ bytes: [UInt8]) -> Bool {
        unsafe bytes.withUnsafeBytes { unsafe tls_write(ssl, $0.baseAddress, $0.count).count } == bytes.count
    }

    /// What can be read now.
    func read(_ limit: Int = 1 << 20) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: limit)
        var total = 0
        while total < limit {
            let outcome = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe tls_read(ssl, buffer.baseAddress.map { unsafe $0 + total }, limit - total)
            }
            if outcome.code != 0 { break }
            total += outcome.count
        }
        return Array(bytes[..<total])
    }

    func sendCloseNotify() { unsafe tls_shutdown(ssl) }
    /// The other side said that nothing more will come.
    var sawCloseNotify: Bool { unsafe SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN != 0 }
}

/// A client session and its peer.
final class TLSPair {
    static let address = NetworkAddress(ipv4: 0x7f00_0001)

    let session: TLSSession
    var peer: TLSPeer?
    var near: Int32
    var far: Int32

    init?(_ policy: TLSPolicy, name: String, server: TLSServer, tickets: TicketStore = TicketStore()) {
        signal(SIGPIPE, SIG_IGN)
        var ends: [Int32] = [0, 0]
        guard unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else { return nil }
        near = ends[0]
        far = ends[1]
        guard cl_set_nonblocking(near) == 0, cl_set_nonblocking(far) == 0,
            let session = TLSSession(
                policy: policy, serverName: name, address: TLSPair.address, tickets: tickets, descriptor: near),
            let peer = TLSPeer(server, descriptor: far)
        else { return nil }
        self.session = session
        self.peer = peer
    }

    deinit {
        _ = cl_close(near)
        if far >= 0 { _ = cl_close(far) }
    }

    /// Pumps both ends. Returns how the client's handshake ended.
    func shakeHands() -> TLSSession.Step {
        var peerIsDone = false
        for _ in 0..<50 {
            let step = session.shakeHands()
            if !peerIsDone { peerIsDone = peer?.shakeHands() ?? true }
            switch step {
            case .wantsRead, .wantsWrite: continue
            case .done: if peerIsDone { return step }
            case .failed: return step
            }
        }
        return .failed(.handshakeTimedOut)
    }

    /// The peer's end of the socket closes.
    func closePeer() {
        peer = nil
        _ = cl_close(far)
        far = -1
    }

    /// Everything that the client can read, and how it ended.
    func readAll() -> ([UInt8], TLSSession.Step) {
        var bytes: [UInt8] = []
        var buffer = StreamBuffer()
        for _ in 0..<100_000 {
            let step = buffer.read(from: session)
            guard case .done(let count) = step else { return (bytes, step) }
            buffer.withBytes(count) { chunk in for i in 0..<chunk.count { bytes.append(chunk[i]) } }
        }
        return (bytes, .wantsRead)
    }
}
