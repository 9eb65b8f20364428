// Builds `[tls]` and the TLS keys of each upstream: names, pins, trust anchors, and the warnings that must be seen at
// every start. Called by SettingsCheck and UpstreamBuilder. Verification is strict unless the file says otherwise
// (RFC 8310 section 5); a TLS key on an upstream without TLS is a mistake, not a wish.

/// Builds what encrypted upstreams have to prove.
struct SecurityBuilder {
    private(set) var problems: [SettingsProblem] = []
    /// `[tls]` as it holds.
    private(set) var tls = Settings.TLS()
    private let checked: CheckedDocument
    private let trustAnchors: @Sendable (String) -> SettingsFiles.ReadError?

    /// Pins of one upstream.
    static let mostPins = 64
    /// Keys of `[[upstream]]` that mean something for encrypted transports only.
    static let keys: Set<String> = ["verify", "pins", "ca", "http_method"]

    init(_ checked: CheckedDocument, files: SettingsFiles) {
        self.checked = checked
        trustAnchors = files.trustAnchors
    }

    /// `[tls]`; to be called before any upstream is built.
    mutating func buildTLS() {
        tls.minVersion = checked.word("tls.min_version", .v12)
        tls.ca = anchors("tls.ca", name: "tls.ca")
        tls.resumption = checked.boolean("tls.resumption")
        let keylog = checked.text("tls.keylog")
        guard !keylog.isEmpty else { return }
        let origin = checked.origin("tls.keylog")
        tls.keylog = SecurityBuilder.path(keylog, beside: origin)
        problems.append(
            SettingsProblem(
                "'tls.keylog' writes the keys of all TLS connections to \(tls.keylog): whoever reads it can read every "
                    + "query", from: origin, help: "for debugging only; remove it afterwards", severity: .warning))
    }

    /// The problems so far; they are told once.
    mutating func takeProblems() -> [SettingsProblem] {
        defer { problems = [] }
        return problems
    }

    /// `slot`: `upstream#2`, nil for an upstream without a table of its own; `text` and `origin` are those of its URL.
    mutating func build(
        _ url: UpstreamURL, slot: String?, name: String, text: String, origin: Origin
    ) -> Settings.Security? {
        guard url.transport.isEncrypted else {
            if let slot { refuseKeys(of: slot) }
            return nil
        }
        var security = Settings.Security(name: url.name)
        security.ca = tls.ca
        if url.transport == .https {
            security.path = url.path
            security.authority = url.authority
        }
        if let slot { readKeys(of: slot, name, url, &security) }
        if security.verify, url.name.isEmpty, !isRefused(slot) {
            let mark = text.firstRange(of: "://")?.upperBound ?? text.startIndex
            let (scheme, rest) = (text[..<mark], text[mark...])
            let address = url.endpoint.map { $0.address.isIPv6 ? "[\($0.address)]" : "\($0.address)" } ?? "ADDRESS"
            problems.append(
                SettingsProblem(
                    "upstream \(quoted(text)) has no TLS name to verify: write \(scheme)NAME@\(rest), or "
                        + "verify = \"off\"", from: origin,
                    help: "NAME is what the certificate is for; where that is the address itself, write "
                        + "\(scheme)\(address)@\(rest)"))
        }
        return security
    }

    private mutating func readKeys(
        of slot: String, _ name: String, _ url: UpstreamURL, _ security: inout Settings.Security
    ) {
        security.verify = checked.text(slot + ".verify", fallback: "upstream.verify") != "off"
        security.pins = pins(slot + ".pins")
        if !checked.text(slot + ".ca", fallback: "upstream.ca").isEmpty {
            security.ca = anchors(slot + ".ca", name: "upstream.ca")
        }
        security.method = checked.word(slot + ".http_method", .post, fallback: "upstream.http_method")
        if url.transport != .https, checked.isWritten(slot + ".http_method") {
            problems.append(
                SettingsProblem(
                    "'upstream.http_method' is for https:// urls, and this one is \(url.transport.rawValue)://",
                    from: checked.origin(slot + ".http_method")))
        }
        if !security.verify {
            problems.append(
                SettingsProblem(
                    "upstream '\(name)' is not verified (verify = \"off\"): "
                        + (security.pins.isEmpty ? "anyone on the way can answer for it" : "only its pins are checked"),
                    from: checked.origin(slot + ".verify"), severity: .warning))
        }
    }

    /// Whether the table says something about verification that was refused: then nothing follows from it.
    private func isRefused(_ slot: String?) -> Bool {
        guard let slot else { return false }
        return checked.document.assignment(slot + ".verify") != nil && !checked.isWritten(slot + ".verify")
    }

    /// Empty ones say that there is nothing, which is true.
    private mutating func refuseKeys(of slot: String) {
        for row in Reference.upstream where SecurityBuilder.keys.contains(row.name) {
            let key = "\(slot).\(row.name)"
            guard let value = checked.values[key], value != .text(""), value != .list([]) else { continue }
            let schemes = row.name == "http_method" ? "https://" : "tls:// and https://"
            problems.append(
                SettingsProblem("'\(row.path)' is for \(schemes) urls", from: checked.origin(key)))
        }
    }

    private mutating func pins(_ slot: String) -> [[UInt8]] {
        let texts = checked.list(slot, fallback: "upstream.pins")
        if texts.count > SecurityBuilder.mostPins {
            problems.append(
                SettingsProblem(
                    "'upstream.pins' has more than \(SecurityBuilder.mostPins) pins", from: checked.origin(slot)))
            return []
        }
        var pins: [[UInt8]] = []
        for listed in texts {
            switch PinText.parse(listed.text) {
            case .success(let pin):
                if pins.contains(pin) {
                    problems.append(SettingsProblem("\(quoted(listed.text)) is listed twice", from: listed.origin))
                } else {
                    pins.append(pin)
                }
            case .failure(let refusal):
                problems.append(SettingsProblem("pin \(quoted(listed.text)) \(refusal.words)", from: listed.origin))
            }
        }
        return pins
    }

    /// The path of a CA file or directory that can be read; empty for the system's.
    private mutating func anchors(_ slot: String, name: String) -> String {
        let text = checked.text(slot, fallback: name)
        if text == "system" { return "" }
        let origin = checked.origin(slot)
        guard !text.isEmpty else {
            problems.append(
                SettingsProblem("'\(name)' is empty", from: origin, help: "write \"system\", or the path of a file"))
            return ""
        }
        let path = SecurityBuilder.path(text, beside: origin)
        if let error = trustAnchors(path) {
            problems.append(SettingsProblem("'\(name)': cannot use \(path): \(error.reason)", from: origin))
        }
        return path
    }

    /// A relative path is meant from the file that says it, as in `include`.
    static func path(_ text: String, beside origin: Origin) -> String {
        guard !text.hasPrefix("/"), let file = origin.place?.path, let slash = file.lastIndex(of: "/") else {
            return text
        }
        return file[...slash] + text
    }
}
