// One TLS connection: OpenSSL's SSL over a non-blocking socket.
//
// StreamTransport drives it: shakeHands until it is done, then read and write; the descriptor is the transport's and
// must outlive the session. OpenSSL reads and writes the descriptor itself (memory BIOs cost a copy and their buffers).
// A session says what it waits for; it must never wait itself, and never let a byte through before the peer's
// certificate, name and pins are verified (RFC 8310 section 8).

import COpenSSL
import ForwarderCore

/// A TLS connection of a client.
@safe final class TLSSession {
    /// How a step ended.
    enum Step: Equatable {
        /// Done; `count` octets were moved.
        case done(count: Int)
        /// Nothing more until the socket can be read.
        case wantsRead
        /// Nothing more until the socket can be written.
        case wantsWrite
        /// The connection is of no use any more. An orderly end is `.closedByPeer`.
        case failed(TransportFailure)
    }

    let policy: TLSPolicy
    private let ssl: OpaquePointer
    private let tickets: TicketStore
    private let address: NetworkAddress
    /// The peer proved who it is, and it had a pinned key where pins are set.
    private(set) var isVerified = false
    /// OpenSSL must not be called for this connection again (SSL_ERROR_SSL, or the socket's end was read).
    private var isBroken = false
    /// Taking a ticket made OpenSSL set up its 16 KiB for writing, which it would keep until the next write.
    private var holdsIdleBuffer = false
    /// Tickets of TLS 1.2 come within the handshake, before the pins are looked at.
    private var unverifiedTicket: OpaquePointer?

    /// nil when memory or a name that OpenSSL cannot take stands in the way.
    /// - Parameters:
    ///   - number: a connected socket, or one that is connecting; not owned.
    ///   - serverName: see `UpstreamSecurity.serverName`.
    ///   - address: of the peer; its identity when there is no name.
    init?(
        policy: TLSPolicy, serverName: String, address: NetworkAddress, tickets: TicketStore, descriptor number: Int32
    ) {
        ERR_clear_error()
        guard let made = unsafe SSL_new(policy.context) else { return nil }
        // Safety: made above, freed in deinit. `self` owns it, so the pointer back is valid as long as it is used.
        unsafe ssl = made
        self.policy = policy
        self.tickets = tickets
        self.address = address
        unsafe tls_set_owner(ssl, Unmanaged.passUnretained(self).toOpaque())
        unsafe SSL_set_connect_state(ssl)
        guard unsafe SSL_set_fd(ssl, number) == 1, expect(serverName) else { return nil }
        if policy.resumes, let ticket = unsafe tickets.take(for: address) {
            // Safety: SSL_set_session takes a reference of its own.
            _ = unsafe SSL_set_session(ssl, ticket)
            unsafe SSL_SESSION_free(ticket)
        }
    }

    deinit {
        // Safety: both are this session's own. Marked as shut down, for OpenSSL would spoil the ticket of a connection
        // that ended without close_notify, and many servers end idle ones like that.
        if isVerified { unsafe SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN) }
        if let ticket = unsafe unverifiedTicket { unsafe SSL_SESSION_free(ticket) }
        unsafe SSL_free(ssl)
    }

    /// Tells OpenSSL whom the certificate must name. Returns false when it cannot.
    private func expect(_ serverName: String) -> Bool {
        // Safety: strings are terminated and copied; the parameters belong to the connection.
        guard let parameters = unsafe SSL_get0_param(ssl) else { return false }
        var identity = address
        identity.scope = 0
        let literal = serverName.isEmpty ? identity.text : serverName
        if unsafe X509_VERIFY_PARAM_set1_ip_asc(parameters, literal) == 1 { return true }
        ERR_clear_error()
        guard !serverName.isEmpty else { return false }
        // "*.example.com" is a name that certificates have, "w*.example.com" is not (RFC 9525 section 6.3).
        unsafe SSL_set_hostflags(ssl, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        return unsafe SSL_set1_host(ssl, serverName) == 1 && tls_set_server_name(ssl, serverName) == 1
    }

    // MARK: - Handshake

    /// Goes on with the handshake. `.done` once the peer is verified.
    func shakeHands() -> Step {
        guard !isBroken else { return .failed(.tlsAlert) }
        // Safety: the connection is alive; its error queue is the thread's and was cleared by the shim.
        let outcome = unsafe tls_handshake(ssl)
        switch outcome.code {
        case 0: break
        case SSL_ERROR_WANT_READ: return .wantsRead
        case SSL_ERROR_WANT_WRITE: return .wantsWrite
        default:
            isBroken = true
            let verification = unsafe policy.key.verify ? SSL_get_verify_result(ssl) : Int(X509_V_OK)
            return .failed(TransportFailure(handshake: outcome, verification: verification))
        }
        if let failure = refusal() {
            isBroken = true
            return .failed(failure)
        }
        isVerified = true
        keepEarlyTicket()
        return .done(count: 0)
    }

    /// What a finished handshake still lacks.
    private func refusal() -> TransportFailure? {
        let selected = selectedProtocol
        switch policy.key.application {
        case .http2: if selected != TLSPolicy.Application.http2.name { return .wrongALPN }
        case .dot: if !selected.isEmpty && selected != TLSPolicy.Application.dot.name { return .tlsAlert }
        }
        // A resumed session was pinned when its ticket came: stores never outlive their policy.
        return policy.key.pins.isEmpty || isResumed || hasPinnedKey ? nil : .pinMismatch
    }

    /// Any certificate of the verified chain may be the pinned one (RFC 7858 section 4.2); unverified, only the peer's
    /// own, for which it proved to have the key.
    private var hasPinnedKey: Bool {
        // Safety: the chain is the connection's, and indexes are below its count; `peer` is a reference of ours.
        if policy.key.verify {
            return unsafe (0..<tls_chain_count(ssl)).contains { index in
                unsafe tls_chain_certificate(ssl, index).map { unsafe policy.isPinned($0) } ?? false
            }
        }
        return unsafe SSL_get0_peer_certificate(ssl).map { unsafe policy.isPinned($0) } ?? false
    }

    /// The protocol that the server selected (ALPN), empty = none.
    var selectedProtocol: [UInt8] {
        var name: UnsafePointer<UInt8>?
        var length: UInt32 = 0
        // Safety: the bytes are the connection's and are copied at once.
        unsafe SSL_get0_alpn_selected(ssl, &name, &length)
        return unsafe Array(UnsafeBufferPointer(start: name, count: name == nil ? 0 : Int(length)))
    }

    // Safety: asks the living connection.
    /// A ticket was accepted: no certificate was sent, none was verified anew.
    var isResumed: Bool { unsafe SSL_session_reused(ssl) == 1 }
    /// "TLSv1.3"
    var version: String {
        // Safety: a constant string of the library.
        unsafe SSL_get_version(ssl).map { unsafe String(cString: $0) } ?? ""
    }

    // MARK: - Tickets

    /// OpenSSL's callback: a session that can be resumed. Returns 1 when its reference was taken.
    static func keep(_ session: OpaquePointer?, of ssl: OpaquePointer?) -> Int32 {
        // Safety: the owner frees its SSL in deinit, so while OpenSSL calls it is alive.
        guard let session = unsafe session, let ssl = unsafe ssl, let owner = unsafe tls_owner(ssl) else { return 0 }
        let connection = unsafe Unmanaged<TLSSession>.fromOpaque(owner).takeUnretainedValue()
        if connection.isVerified {
            connection.holdsIdleBuffer = true
            unsafe connection.tickets.store(session, from: connection.address)
        } else {
            if let older = unsafe connection.unverifiedTicket { unsafe SSL_SESSION_free(older) }
            unsafe connection.unverifiedTicket = session
        }
        return 1
    }

    private func keepEarlyTicket() {
        // Safety: the reference moves to the store; SSL_get1_session gives one.
        if let ticket = unsafe unverifiedTicket {
            unsafe unverifiedTicket = nil
            unsafe tickets.store(ticket, from: address)
        } else if policy.resumes, isResumed, unsafe SSL_version(ssl) == TLS1_2_VERSION,
            let session = unsafe SSL_get1_session(ssl)
        {
            // A TLS 1.2 server that resumes need not send another ticket: the same may be used again, one at a time.
            unsafe tickets.store(session, from: address)
        }
    }

    // MARK: - Bytes

    /// Octets wait inside OpenSSL, of which the socket will not tell: read again.
    // Safety: asks the living connection.
    var hasPending: Bool { unsafe SSL_has_pending(ssl) == 1 }

    /// Whether a read of the socket takes more than the record that is asked for. Off, reads end at a record's end.
    func setReadAhead(_ isOn: Bool) {
        // Safety: as above.
        unsafe SSL_set_read_ahead(ssl, isOn ? 1 : 0)
    }

    /// Decrypts at most one record into `buffer`.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Step {
        guard isVerified, !isBroken else { return .failed(.closedByPeer) }
        // Safety: the size is the buffer's own.
        let outcome = unsafe tls_read(ssl, buffer.baseAddress, buffer.count)
        if outcome.code == SSL_ERROR_SYSCALL { isBroken = true }
        // Measured: an idle connection has 36 KB with that buffer, 19 KB without. Refused while octets wait in one.
        if holdsIdleBuffer { holdsIdleBuffer = unsafe SSL_free_buffers(ssl) == 0 }
        return step(outcome)
    }

    /// Encrypts one record from the front of `bytes` (as much as 16 KiB). After `.wantsRead` or `.wantsWrite` the same
    /// bytes must be offered again, more may follow them.
    func write(_ bytes: UnsafeRawBufferPointer) -> Step {
        guard isVerified, !isBroken else { return .failed(.reset) }
        // Safety: the size is the buffer's own.
        return step(unsafe tls_write(ssl, bytes.baseAddress, bytes.count))
    }

    private func step(_ outcome: tls_outcome) -> Step {
        switch outcome.code {
        case 0: return .done(count: outcome.count)
        case SSL_ERROR_WANT_READ: return .wantsRead
        case SSL_ERROR_WANT_WRITE: return .wantsWrite
        case SSL_ERROR_SSL:
            isBroken = true
            return .failed(TransportFailure(transfer: outcome))
        default: return .failed(TransportFailure(transfer: outcome))
        }
    }

    /// Tells the peer that nothing more will come (close_notify), if the socket takes it.
    func sendCloseNotify() {
        guard isVerified, !isBroken else { return }
        // Safety: the connection is alive.
        unsafe tls_shutdown(ssl)
    }
}
