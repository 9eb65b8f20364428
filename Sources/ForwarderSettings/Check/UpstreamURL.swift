// Upstream URLs: scheme://[tls-name@]address[:port][/path], without a scheme udp. Pure parsing; whether this build can
// speak the scheme is asked here too, so that every place says it in the same words. No `#name`: in a URL it starts a
// fragment, and in most settings files a comment.

/// A parsed upstream URL that this build can use.
struct UpstreamURL: Equatable {
    var transport: Settings.Transport
    var endpoint: AddressAndPort

    /// What is wrong with a URL: the words after `upstream "..." `, and a hint.
    struct Refusal: Error, Equatable {
        let words: String
        var help: String?
    }

    /// The port of plain DNS.
    static let plainPort: UInt16 = 53

    /// Whether the text means to be a URL or address rather than the name of an `[[upstream]]`.
    static func looksLikeOne(_ text: String) -> Bool {
        text.contains("://") || text.contains(":") || text.contains("/") || text.hasPrefix("[")
            || IPAddress(text) != nil
    }

    static func parse(_ text: String) -> Result<UpstreamURL, Refusal> {
        var rest = Substring(text)
        var scheme = "udp"
        if let mark = text.firstRange(of: "://") {
            scheme = text[..<mark.lowerBound].lowercased()
            rest = text[mark.upperBound...]
        }
        guard !text.isEmpty else { return refuse("is empty") }
        if text.contains("#") {
            return refuse("has a '#': a TLS name goes before the address", "write tls://NAME@ADDRESS")
        }
        if text.contains("?") {
            return refuse("has a query part: options belong in [[upstream]]", nil)
        }
        let transport: Settings.Transport
        switch scheme {
        case "udp": transport = .udp
        case "tcp": transport = .tcp
        case "tls", "https":
            if let refusal = addressProblem(rest, named: true) { return .failure(refusal) }
            return refuse("uses \(scheme)://, which is not supported yet", "this build speaks udp:// and tcp://")
        case "quic", "h3": return refuse("uses \(scheme)://: this build has no QUIC (planned)")
        default:
            let near = EditDistance.nearest(to: scheme, among: ["udp", "tcp", "tls", "https"])
            return refuse("has an unknown scheme '\(scheme)'", near.map { "did you mean \($0)://?" })
        }
        if let slash = rest.firstIndex(of: "/") {
            return refuse("has a path: only https:// has one", "write \(scheme)://\(rest[..<slash])")
        }
        if rest.contains("@") {
            return refuse("has a TLS name, but \(scheme):// has no TLS")
        }
        return AddressText.parse(rest, port: plainPort).map { UpstreamURL(transport: transport, endpoint: $0) }
            .mapError { Refusal(words: $0.words, help: $0.help) }
    }

    /// What is wrong with the address of a URL that cannot be used anyway: told first, since it stays wrong.
    private static func addressProblem(_ rest: Substring, named: Bool) -> Refusal? {
        var host = rest.prefix { $0 != "/" }
        if let at = host.lastIndex(of: "@") { host = host[host.index(after: at)...] }
        if case .failure(let refusal) = AddressText.parse(host, port: plainPort), !refusal.isName {
            return Refusal(words: refusal.words, help: refusal.help)
        }
        return nil
    }

    private static func refuse(_ words: String, _ help: String? = nil) -> Result<UpstreamURL, Refusal> {
        .failure(Refusal(words: words, help: help))
    }
}
