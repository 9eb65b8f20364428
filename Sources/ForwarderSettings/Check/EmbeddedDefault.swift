// The servers that are asked when no file and no option names any: two operators, all their addresses. In this build
// over UDP, since TLS is not built yet; when it is, only the URLs here change. There is never a silent fall-back.

/// The embedded default servers.
enum EmbeddedDefault {
    /// Name and URL; the order is that of trial before anything is measured.
    static let upstreams: [(name: String, url: String)] = [
        ("quad9", "udp://9.9.9.9"),
        ("cloudflare", "udp://1.1.1.1"),
        ("quad9-2", "udp://149.112.112.112"),
        ("cloudflare-2", "udp://1.0.0.1"),
        ("quad9-v6", "udp://[2620:fe::fe]"),
        ("cloudflare-v6", "udp://[2606:4700:4700::1111]"),
        ("quad9-v6-2", "udp://[2620:fe::9]"),
        ("cloudflare-v6-2", "udp://[2606:4700:4700::1001]"),
    ]
}
