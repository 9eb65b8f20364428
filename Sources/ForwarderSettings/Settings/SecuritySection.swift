// `[tls]` and the TLS keys of `[[upstream]]` after every check. Part of Settings; made by SecurityBuilder, read by the
// daemon's mapping. No key material is held here, only public pins and the paths of files.

extension Settings {
    /// `[tls]`.
    public struct TLS: Sendable, Equatable {
        /// Oldest version that is accepted.
        public enum Version: String, Sendable, CaseIterable {
            case v12 = "1.2"
            case v13 = "1.3"
        }

        public internal(set) var minVersion = Version.v12
        /// Path of a file or directory of certificates; empty = those of the system.
        public internal(set) var ca = ""
        public internal(set) var resumption = true
        /// Path; empty = no key log.
        public internal(set) var keylog = ""
    }

    /// What one encrypted upstream has to prove, and how it is asked.
    public struct Security: Sendable, Equatable {
        /// `http_method` (RFC 8484 section 4.1).
        public enum Method: String, Sendable, CaseIterable {
            case post = "POST"
            case get = "GET"
        }

        /// The name to send and to verify: a host name in lower case, or an address as text. Empty only when nothing
        /// is verified.
        public internal(set) var name: String
        /// false: any certificate will do, but for `pins`.
        public internal(set) var verify = true
        /// SHA-256 of public keys, 32 octets each.
        public internal(set) var pins: [[UInt8]] = []
        /// As in `TLS`, with that as its default.
        public internal(set) var ca = ""
        /// Of https; empty for tls.
        public internal(set) var path = ""
        /// Host, and port when it is not 443, as requests name it; empty for tls.
        public internal(set) var authority = ""
        public internal(set) var method = Method.post
    }
}
