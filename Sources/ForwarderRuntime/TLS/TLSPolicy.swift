// What a kind of TLS connection demands of its peer: OpenSSL's SSL_CTX and the pins.
//
// WorkerGroup makes one for each distinct demand at start (a CA file that cannot be read is a failure to start, in
// plain words), and all workers share it. Certificates are verified against it (RFC 8310 section 8, strict profile);
// versions before 1.2 are never offered (RFC 8996). It must never be changed after it was made.

import COpenSSL
import ForwarderCore
import Glibc

/// What a TLS connection demands.
@safe final class TLSPolicy: @unchecked Sendable {
    // Safety: OpenSSL counts references to an SSL_CTX and locks its store; everything else here is constant.

    /// The protocol that is asked for (RFC 7301).
    enum Application: Sendable {
        /// DNS over TLS. Many servers select nothing; that is accepted.
        case dot
        /// HTTP/2, which the server must select.
        case http2

        /// "dot" (RFC 7858) or "h2" (RFC 9113).
        var name: [UInt8] { self == .dot ? [0x64, 0x6f, 0x74] : [0x68, 0x32] }
    }

    /// Policies that are equal in these share one value.
    struct Key: Hashable, Sendable {
        var verify: Bool
        var caFile: String
        var pins: [[UInt8]]
        var minimumVersion: TLSVersion
        var application: Application

        init(_ security: UpstreamSecurity, _ application: Application) {
            verify = security.verify
            caFile = security.caFile
            pins = security.pins
            minimumVersion = security.minimumVersion
            self.application = application
        }
    }

    /// Why a policy could not be made.
    struct Mistake: Error, Equatable {
        /// A whole sentence, for the operator.
        var text: String
    }

    let context: OpaquePointer
    let key: Key
    let resumes: Bool
    let keyLog: KeyLog?

    init(_ key: Key, resumes: Bool = true, keyLog: KeyLog? = nil) throws(Mistake) {
        guard let made = unsafe SSL_CTX_new(TLS_client_method()) else {
            throw Mistake(text: "TLS is not available: OpenSSL could not be initialised")
        }
        // Safety: made above, freed in deinit or where this initialiser throws.
        unsafe context = made
        self.key = key
        self.resumes = resumes
        self.keyLog = keyLog
        try setUp()
    }

    // Safety: made in init; connections hold references of their own.
    deinit { unsafe SSL_CTX_free(context) }

    private func setUp() throws(Mistake) {
        // Safety: `context` lives as long as self; what is passed is copied by OpenSSL.
        unsafe tls_set_habits(context)
        let version = key.minimumVersion == .v13 ? TLS1_3_VERSION : TLS1_2_VERSION
        let name = key.application.name
        let list = [UInt8(name.count)] + name
        let refused = unsafe list.withUnsafeBufferPointer { list in
            unsafe SSL_CTX_set_alpn_protos(context, list.baseAddress, UInt32(list.count))
        }
        if unsafe tls_set_minimum(context, version) != 1 || refused != 0 {
            throw Mistake(text: "TLS is not available: OpenSSL refuses the version or the protocol")
        }
        unsafe SSL_CTX_set_verify(context, key.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nil)
        if key.verify { try loadAuthorities() }
        // Safety: the policy outlives its context but for connections that still run, and each of those holds the
        // policy. The callbacks are plain functions.
        unsafe tls_set_policy(context, Unmanaged.passUnretained(self).toOpaque())
        if resumes {
            unsafe tls_set_client_sessions(context)
            unsafe SSL_CTX_sess_set_new_cb(context) { ssl, session in
                unsafe TLSSession.keep(session, of: ssl)
            }
        } else {
            unsafe tls_set_no_sessions(context)
        }
        if keyLog != nil {
            unsafe SSL_CTX_set_keylog_callback(context) { ssl, line in
                unsafe TLSPolicy.log(line, of: ssl)
            }
        }
    }

    /// Trusts the system's certificates, or those of a file or directory of the settings instead.
    private func loadAuthorities() throws(Mistake) {
        ERR_clear_error()
        let path = key.caFile
        if path.isEmpty {
            // Safety: as above.
            if unsafe SSL_CTX_set_default_verify_paths(context) != 1 {
                throw Mistake(text: "the system's trusted certificates cannot be used: \(TLSPolicy.lastReason())")
            }
            return
        }
        // A directory is only looked into when a certificate is sought, so a wrong path would be found much too late.
        var facts = stat()
        // Safety: the structure and the string outlive the calls.
        if unsafe stat(path, &facts) != 0 {
            throw Mistake(text: "the CA file \(path) cannot be read: \(SystemError(code: errno).text)")
        }
        let isDirectory = facts.st_mode & S_IFMT == S_IFDIR
        let loaded =
            isDirectory
            ? unsafe SSL_CTX_load_verify_dir(context, path) : unsafe SSL_CTX_load_verify_file(context, path)
        if loaded != 1 {
            throw Mistake(text: "the CA file \(path) has no certificate that can be used: \(TLSPolicy.lastReason())")
        }
    }

    private static func lastReason() -> String {
        // Safety: the string is a constant of the library.
        guard let reason = unsafe ERR_reason_error_string(ERR_peek_last_error()) else { return "unknown reason" }
        return unsafe String(cString: reason)
    }

    /// OpenSSL's callback: a line for the key log.
    private static func log(_ line: UnsafePointer<CChar>?, of ssl: OpaquePointer?) {
        // Safety: the connection holds its policy, and OpenSSL lends a terminated string for the call.
        guard let ssl = unsafe ssl, let line = unsafe line, let owner = unsafe tls_policy(ssl) else { return }
        let policy = unsafe Unmanaged<TLSPolicy>.fromOpaque(owner).takeUnretainedValue()
        unsafe policy.keyLog?.append(String(cString: line))
    }

    // MARK: - Pins

    /// Whether the certificate has one of the pinned keys.
    func isPinned(_ certificate: OpaquePointer) -> Bool {
        var digest = [UInt8](repeating: 0, count: 32)
        let isKnown = unsafe digest.withUnsafeMutableBufferPointer { digest in
            // Safety: 32 octets, as the shim says.
            unsafe digest.baseAddress.map { unsafe tls_key_digest(certificate, $0) } == 1
        }
        return isKnown && key.pins.contains(digest)
    }
}
