// A throw-away certificate authority, made with OpenSSL when a test runs. No key lies in the repository.

import COpenSSL
import Glibc

/// A key with its certificate.
@safe final class TLSIdentity {
    let key: OpaquePointer
    let certificate: OpaquePointer

    init(key: OpaquePointer, certificate: OpaquePointer) {
        unsafe self.key = key
        unsafe self.certificate = certificate
    }

    deinit {
        unsafe EVP_PKEY_free(key)
        unsafe X509_free(certificate)
    }

    /// SHA-256 of the public key as a pin has it.
    var pin: [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        unsafe digest.withUnsafeMutableBufferPointer { buffer in
            if let base = buffer.baseAddress { _ = unsafe tls_key_digest(certificate, base) }
        }
        return digest
    }
}

/// Signs certificates; its own lies in a file while it lives.
final class TLSAuthority {
    let identity: TLSIdentity
    let path: String

    init?() {
        guard
            let identity = TLSAuthority.make(name: "Test CA", extensions: [(NID_basic_constraints, "critical,CA:TRUE")])
        else { return nil }
        self.identity = identity
        path = "/tmp/fleetwing-test-\(getpid())-\(UInt32.random(in: 0 ... .max)).pem"
        guard let file = unsafe fopen(path, "w") else { return nil }
        defer { unsafe fclose(file) }
        guard unsafe PEM_write_X509(file, identity.certificate) == 1 else { return nil }
    }

    deinit { _ = unsafe unlink(path) }

    /// A server's certificate. `names` as OpenSSL writes them: "DNS:dns.example,IP:127.0.0.1".
    func issue(_ names: String, from start: Int = -3_600, until end: Int = 86_400) -> TLSIdentity? {
        TLSAuthority.make(
            name: "server", extensions: [(NID_subject_alt_name, names)], issuer: identity, start: start, end: end)
    }

    /// A certificate that nobody else signed.
    static func selfSigned(_ names: String) -> TLSIdentity? {
        make(name: "lonely", extensions: [(NID_subject_alt_name, names)])
    }

    private static func makeKey() -> OpaquePointer? {
        guard let context = unsafe EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nil) else { return nil }
        defer { unsafe EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard unsafe EVP_PKEY_keygen_init(context) == 1,
            unsafe EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1) == 1,
            unsafe EVP_PKEY_keygen(context, &key) == 1
        else { return nil }
        return unsafe key
    }

    private static func make(
        name: String, extensions: [(Int32, String)], issuer: TLSIdentity? = nil, start: Int = -3_600, end: Int = 86_400
    ) -> TLSIdentity? {
        guard let key = unsafe makeKey(), let certificate = unsafe X509_new() else { return nil }
        let identity = unsafe TLSIdentity(key: key, certificate: certificate)
        unsafe X509_set_version(certificate, 2)
        unsafe ASN1_INTEGER_set(X509_get_serialNumber(certificate), Int.random(in: 1...Int(Int32.max)))
        unsafe X509_gmtime_adj(X509_getm_notBefore(certificate), start)
        unsafe X509_gmtime_adj(X509_getm_notAfter(certificate), end)
        unsafe X509_set_pubkey(certificate, key)
        let subject = unsafe X509_get_subject_name(certificate)
        unsafe X509_NAME_add_entry_by_txt(subject, "CN", asciiString, name, -1, -1, 0)
        let signer = issuer ?? identity
        unsafe X509_set_issuer_name(certificate, X509_get_subject_name(signer.certificate))
        for (kind, text) in extensions {
            guard let made = unsafe X509V3_EXT_conf_nid(nil, nil, kind, text) else { return nil }
            unsafe X509_add_ext(certificate, made, -1)
            unsafe X509_EXTENSION_free(made)
        }
        return unsafe X509_sign(certificate, signer.key, EVP_sha256()) > 0 ? identity : nil
    }

    private static let asciiString: Int32 = 0x1001
}
