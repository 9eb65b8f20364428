// Whether a path can serve as trust anchors, as far as that shows without a TLS library: a directory that opens, or a
// file with a PEM certificate in it. Called by SecurityBuilder by way of SettingsFiles. What the certificates are
// worth is found by the runtime at start.

import Glibc

/// A look at CA files.
enum TrustAnchors {
    private static let mark = "-----BEGIN "

    /// nil when it can be used.
    static func problem(_ path: String) -> SettingsFiles.ReadError? {
        // Safety: the stream is closed at once, and the path is lent for the call.
        if let folder = unsafe opendir(path) {
            unsafe closedir(folder)
            return nil
        }
        switch SettingsFiles.readBytes(path) {
        case .failure(let error): return error
        case .success(let octets):
            // Comments of any alphabet may stand between the certificates: they are not text to be checked.
            let isPEM = String(decoding: octets, as: UTF8.self).split(separator: "\n").contains { line in
                line.hasPrefix(mark) && line.contains("CERTIFICATE-----")
            }
            return isPEM ? nil : SettingsFiles.ReadError(reason: "no PEM certificate in it", missing: false)
        }
    }
}
