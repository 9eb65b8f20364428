// The servers that are asked when no file and no option names any: two operators over TLS, all their addresses. There
// is never a silent fall-back to plain DNS: where port 853 is blocked, the log says so.

/// The embedded default servers.
enum EmbeddedDefault {
    /// One operator.
    struct Server {
        let name: String
        let url: String
        /// All of them, that of the URL first.
        let addresses: [String]
    }

    /// The order is that of trial before anything is measured.
    static let upstreams = [
        Server(
            name: "quad9", url: "tls://dns.quad9.net@9.9.9.9",
            addresses: ["9.9.9.9", "149.112.112.112", "2620:fe::fe", "2620:fe::9"]),
        Server(
            name: "cloudflare", url: "tls://one.one.one.one@1.1.1.1",
            addresses: ["1.1.1.1", "1.0.0.1", "2606:4700:4700::1111", "2606:4700:4700::1001"]),
    ]
}
