// The TLS side of one upstream, one worker's: what is demanded of it, and the tickets that it gave.
//
// A worker makes one for each encrypted upstream; StreamTransport opens sessions with it.

import ForwarderCore

/// How a worker reaches one encrypted upstream.
final class TLSUpstream {
    let policy: TLSPolicy
    let security: UpstreamSecurity
    let tickets = TicketStore()
    /// The fields of HTTPS requests, nil for DNS over TLS.
    let headers: RequestHeaders?

    init(policy: TLSPolicy, security: UpstreamSecurity) {
        self.policy = policy
        self.security = security
        switch policy.key.application {
        case .dot: headers = nil
        case .http2:
            headers = RequestHeaders(method: security.method, authority: security.authority, path: security.path)
        }
    }

    /// A session for a socket that is connecting to `address`. nil when there is no memory for it.
    func session(descriptor number: Int32, address: NetworkAddress) -> TLSSession? {
        TLSSession(
            policy: policy, serverName: security.serverName, address: address, tickets: tickets, descriptor: number)
    }
}
