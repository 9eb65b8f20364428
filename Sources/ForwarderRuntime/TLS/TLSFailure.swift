// What OpenSSL said, in the words of the engine.
//
// TLSSession asks here. Each cause has its own TransportFailure, since what the operator has to mend differs: a clock,
// a name, a CA file, a pin. It must never turn a failed verification into anything that looks like a lost connection.

import COpenSSL
import ForwarderCore

extension TransportFailure {
    /// A step of the handshake failed.
    /// - Parameter verification: SSL_get_verify_result; X509_V_OK while nothing was wrong with the certificate, or
    ///   where nobody asks.
    init(handshake outcome: tls_outcome, verification: Int) {
        switch outcome.code {
        case SSL_ERROR_ZERO_RETURN: self = .closedByPeer
        case SSL_ERROR_SYSCALL:
            self = outcome.system == 0 ? .closedByPeer : TransportFailure(errno: outcome.system, during: .transfer)
        default:
            // The reason alone would not do: a signature that does not match comes as an error of libcrypto.
            self =
                verification == Int(X509_V_OK)
                ? TransportFailure(alert: outcome.reason) : TransportFailure(verification: verification)
        }
    }

    /// A read or a write failed after the handshake.
    init(transfer outcome: tls_outcome) {
        switch outcome.code {
        case SSL_ERROR_ZERO_RETURN: self = .closedByPeer
        case SSL_ERROR_SYSCALL:
            self = outcome.system == 0 ? .closedByPeer : TransportFailure(errno: outcome.system, during: .transfer)
        default: self = TransportFailure.isAlert(outcome.reason) ? .tlsAlert : .protocolError
        }
    }

    /// Why a certificate was refused. Whatever has no word of its own is a matter of trust.
    init(verification result: Int) {
        switch Int32(clamping: result) {
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH: self = .wrongName
        case X509_V_ERR_CERT_HAS_EXPIRED: self = .certificateExpired
        case X509_V_ERR_CERT_NOT_YET_VALID: self = .certificateNotYetValid
        default: self = .untrustedIssuer
        }
    }

    /// no_application_protocol (RFC 7301) says the same as an answer without the protocol that we need.
    private init(alert reason: Int32) {
        self = reason == SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL ? .wrongALPN : .tlsAlert
    }

    /// OpenSSL's reasons for received alerts are 1000 and the alert's number.
    private static func isAlert(_ reason: Int32) -> Bool { (1_000..<1_256).contains(reason) }
}
