// What an encrypted upstream has to prove, and how requests to it are addressed, as the runtime uses it.
//
// fleetwingd makes one per `tls://` or `https://` upstream from the settings. It must never say less than the settings
// did: an upstream whose certificate is not verified was written out as `verify = "off"` (RFC 8310 section 5, strict).

/// The lowest version of TLS that is accepted. Older ones are never offered (RFC 8996).
public enum TLSVersion: UInt8, Sendable { case v12, v13 }

/// The method of a DNS query over HTTPS (RFC 8484 section 4.1).
public enum RequestMethod: UInt8, Sendable { case post, get }

/// The TLS and HTTP facts of one upstream.
public struct UpstreamSecurity: Sendable, Equatable {
    /// The name to send (SNI) and to verify, in presentation form without the final dot. Empty: the certificate must
    /// be for the IP address that is connected to. An address literal is verified as an address too, never sent.
    public var serverName: String
    /// false: any certificate is accepted. Pins still hold.
    public var verify = true
    /// SHA-256 over the SubjectPublicKeyInfo of a certificate, 32 octets each. Empty: no pinning.
    public var pins: [[UInt8]] = []
    /// A file of trusted certificates (PEM). Empty: those of the system.
    public var caFile = ""
    public var minimumVersion = TLSVersion.v12
    /// The path of HTTPS requests, with its first slash. Empty for DNS over TLS.
    public var path = ""
    /// `:authority` of HTTPS requests: host, and the port when it is not 443.
    public var authority = ""
    public var method = RequestMethod.post

    public init(serverName: String) { self.serverName = serverName }
}
