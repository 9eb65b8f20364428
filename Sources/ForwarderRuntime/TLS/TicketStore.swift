// Sessions that may be resumed, one worker's for one upstream.
//
// TLSSession brings them when the server sends a ticket and takes one for each new connection. Each is used once: a TLS
// 1.3 ticket that is sent twice lets an observer link the connections (RFC 8446 appendix C.4). An upstream has one
// policy for life (a changed pin or CA is a new TLSPolicy with new stores), so a session is never resumed past it. It
// must never outgrow its bound, nor give a session to another address than the one that proved itself.

import COpenSSL
import ForwarderCore

/// A few sessions, newest last.
@safe final class TicketStore {
    /// Servers send two tickets a handshake; more than four would only grow old.
    static let limit = 4

    // Safety: the store alone frees what is in it.
    @safe private struct Ticket {
        let session: OpaquePointer
        var address: NetworkAddress
    }

    private var tickets: [Ticket] = []

    var count: Int { tickets.count }

    deinit {
        for ticket in tickets {
            // Safety: the store owns one reference of each.
            unsafe SSL_SESSION_free(ticket.session)
        }
    }

    /// Keeps a session. Takes over the caller's reference.
    func store(_ session: OpaquePointer, from address: NetworkAddress) {
        // Safety: the reference is ours from here on; dropped ones are freed once.
        if unsafe SSL_SESSION_is_resumable(session) == 0 {
            unsafe SSL_SESSION_free(session)
            return
        }
        if tickets.count >= TicketStore.limit {
            unsafe SSL_SESSION_free(tickets.removeFirst().session)
        }
        unsafe tickets.append(Ticket(session: session, address: address))
    }

    /// The newest session of `address`; its reference is the caller's, who frees it.
    func take(for address: NetworkAddress) -> OpaquePointer? {
        for _ in 0..<TicketStore.limit {
            guard let index = tickets.lastIndex(where: { $0.address == address }) else { return nil }
            let session = unsafe tickets.remove(at: index).session
            // A resumed handshake shows no certificate: one that has run out would be trusted on and on.
            // Safety: the store's reference, given to the caller or freed.
            let isUsable =
                unsafe SSL_SESSION_is_resumable(session) != 0 && tls_session_certificate_expired(session) == 0
            if isUsable { return unsafe session }
            unsafe SSL_SESSION_free(session)
        }
        return nil
    }
}
