// Upstream URLs: scheme://[tls-name@]host[:port][/path], without a scheme udp. Pure parsing; whether this build can
// speak the scheme is asked here too, so that every place says it in the same words. No `#name`: in a URL it starts a
// fragment, and in most settings files a comment. No `?x=y`: options belong in `[[upstream]]`.

/// A parsed upstream URL that this build can use.
struct UpstreamURL: Equatable {
    /// What stands after the `@`.
    enum Host: Equatable {
        case address(IPAddress)
        /// Lower case, without a final dot.
        case name(String)
    }

    var transport: Settings.Transport
    /// The TLS name: a host name, or an address as text where the certificate is for the address. A host name without
    /// one before it is its own. Empty: none was written, or the transport has none.
    var name = ""
    var host: Host
    var port: UInt16
    /// With its first slash; empty but for https.
    var path = ""

    /// What is wrong with a URL: the words after `upstream "..." `, and a hint.
    struct Refusal: Error, Equatable {
        let words: String
        var help: String?
    }

    /// The port of plain DNS.
    static let plainPort: UInt16 = 53
    /// RFC 8484 gives no default; this is what its examples and the public servers use.
    static let usualPath = "/dns-query"
    /// Octets of a path.
    static let longestPath = 1_024

    /// Address and port; nil for a host name.
    var endpoint: AddressAndPort? {
        if case .address(let address) = host { return AddressAndPort(address: address, port: port) }
        return nil
    }

    /// The name to resolve; empty for an address.
    var hostName: String {
        if case .name(let name) = host { return name }
        return ""
    }

    /// `:authority` of HTTP requests (RFC 9113 section 8.3.1): the name, else the address; the port when it is not 443.
    var authority: String {
        var text = name
        if case .address(let address) = host, name.isEmpty { text = address.description }
        if text.contains(":") { text = "[\(text)]" }
        return port == Settings.Transport.https.port ? text : "\(text):\(port)"
    }

    /// Whether the text means to be a URL or address rather than the name of an `[[upstream]]`.
    static func looksLikeOne(_ text: String) -> Bool {
        text.contains("://") || text.contains(":") || text.contains("/") || text.hasPrefix("[")
            || IPAddress(text) != nil
    }

    static func parse(_ text: String) -> Result<UpstreamURL, Refusal> {
        do throws(Refusal) { return .success(try read(text)) } catch { return .failure(error) }
    }

    private static func read(_ text: String) throws(Refusal) -> UpstreamURL {
        var rest = Substring(text)
        var scheme = "udp"
        if let mark = text.firstRange(of: "://") {
            scheme = text[..<mark.lowerBound].lowercased()
            rest = text[mark.upperBound...]
        }
        if text.isEmpty { throw Refusal(words: "is empty") }
        if text.contains("#") {
            throw Refusal(
                words: "has a '#': a TLS name goes before the address", help: "write tls://NAME@ADDRESS")
        }
        if text.contains("?") { throw Refusal(words: "has a query part: options belong in [[upstream]]") }
        let transport = try transport(scheme)
        var path = ""
        if let slash = rest.firstIndex(of: "/") {
            path = String(rest[slash...])
            rest = rest[..<slash]
        }
        if !path.isEmpty && transport != .https {
            throw Refusal(words: "has a path: only https:// has one", help: "write \(scheme)://\(rest)")
        }
        if transport == .https { path = try checked(path.isEmpty ? usualPath : path) }
        var name: String?
        if let at = rest.firstIndex(of: "@") {
            guard transport.isEncrypted else {
                throw Refusal(words: "has a TLS name, but \(scheme):// has no TLS")
            }
            name = try tlsName(rest[..<at])
            rest = rest[rest.index(after: at)...]
        }
        let (host, port) = try host(rest, port: transport.port)
        if name == nil, transport.isEncrypted, case .name(let own) = host { name = own }
        return UpstreamURL(transport: transport, name: name ?? "", host: host, port: port, path: path)
    }

    private static func transport(_ scheme: String) throws(Refusal) -> Settings.Transport {
        if let transport = Settings.Transport(rawValue: scheme) { return transport }
        if scheme == "quic" || scheme == "h3" {
            throw Refusal(words: "uses \(scheme)://: this build has no QUIC (planned)")
        }
        let near = EditDistance.nearest(to: scheme, among: Settings.Transport.allCases.map(\.rawValue))
        throw Refusal(words: "has an unknown scheme '\(scheme)'", help: near.map { "did you mean \($0)://?" })
    }

    /// It goes into a header as it is, so it must be one (RFC 3986 section 3.3: ASCII, no space).
    private static func checked(_ path: String) throws(Refusal) -> String {
        guard path.utf8.count <= longestPath else {
            throw Refusal(words: "has a path of more than \(longestPath) octets")
        }
        guard path.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw Refusal(words: "has a path with spaces or characters beyond ASCII", help: "write them as %XX")
        }
        return path
    }

    private static func tlsName(_ text: Substring) throws(Refusal) -> String {
        if text.isEmpty { throw Refusal(words: "has no TLS name before its '@'") }
        let bare = text.hasPrefix("[") && text.hasSuffix("]") ? text.dropFirst().dropLast() : text
        if let address = IPAddress(bare) { return address.description }
        guard let name = HostName.normalized(text) else {
            throw Refusal(
                words: "has a TLS name that is neither a host name nor an address",
                help: text.utf8.allSatisfy { $0 < 0x80 } ? nil : "write the name in its xn-- form")
        }
        return name
    }

    private static func host(_ text: Substring, port: UInt16) throws(Refusal) -> (Host, UInt16) {
        switch AddressText.parse(text, port: port) {
        case .success(let endpoint): return (.address(endpoint.address), endpoint.port)
        case .failure(let refusal):
            guard refusal.isName else { throw Refusal(words: refusal.words, help: refusal.help) }
        }
        switch AddressText.parseName(text, port: port) {
        case .success(let (name, port)): return (.name(name), port)
        case .failure(let refusal): throw Refusal(words: refusal.words, help: refusal.help)
        }
    }
}
