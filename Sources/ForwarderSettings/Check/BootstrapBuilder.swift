// Builds `bootstrap`: the servers that find the addresses of upstreams whose URL has a host name only. Called by
// SettingsCheck after the upstreams. They have addresses and no TLS, so that finding an address never needs finding
// another one first. Where no upstream needs them they are checked, and left out.

/// Builds the bootstrap servers.
struct BootstrapBuilder {
    private(set) var problems: [SettingsProblem] = []
    private let checked: CheckedDocument

    static let mostServers = 16
    private static let slot = "bootstrap"

    init(_ checked: CheckedDocument) { self.checked = checked }

    /// `upstreams`: those in use. Names are made unique against them.
    mutating func build(for upstreams: [UpstreamBuilder.Built]) -> [UpstreamBuilder.Built] {
        let texts = checked.list(BootstrapBuilder.slot)
        if texts.count > BootstrapBuilder.mostServers {
            problems.append(
                SettingsProblem(
                    "'bootstrap' has more than \(BootstrapBuilder.mostServers) servers",
                    from: checked.origin(BootstrapBuilder.slot)))
            return []
        }
        var servers: [UpstreamBuilder.Built] = []
        for listed in texts {
            guard let url = url(listed), let endpoint = url.endpoint else { continue }
            if servers.contains(where: { $0.url == url }) {
                problems.append(
                    SettingsProblem("\(quoted(listed.text)) is listed twice in 'bootstrap'", from: listed.origin))
                continue
            }
            let name = NameCheck.made(from: "bootstrap-\(endpoint.address)") { made in
                (upstreams + servers).contains { $0.settings.name == made }
            }
            var server = Settings.Upstream(name: name, url: listed.text, transport: url.transport)
            server.endpoints = [endpoint]
            server.port = endpoint.port
            server.pool = PoolBuilder(checked: checked, own: nil).build()
            // Asked once in a while: nothing is to be kept ready for that.
            server.pool.prewarm = 0
            server.pool.minConnections = 0
            servers.append(UpstreamBuilder.Built(settings: server, url: url, origin: listed.origin))
        }
        let waiting = upstreams.filter { !$0.settings.hostName.isEmpty }
        if texts.isEmpty, isGood {
            for upstream in waiting {
                problems.append(
                    SettingsProblem(
                        "upstream \(quoted(upstream.settings.url)) has a host name without an address, and "
                            + "'bootstrap' is empty", from: upstream.origin,
                        help: "write its address after NAME@, or bootstrap = [\"udp://9.9.9.9\"]"))
            }
        }
        return waiting.isEmpty ? [] : servers
    }

    /// A value that was refused is not an empty one.
    private var isGood: Bool {
        checked.document.assignment(BootstrapBuilder.slot) == nil || checked.isWritten(BootstrapBuilder.slot)
    }

    private mutating func url(_ listed: CheckedValue.ListedText) -> UpstreamURL? {
        func refuse(_ words: String, _ help: String? = nil) -> UpstreamURL? {
            problems.append(
                SettingsProblem("bootstrap server \(quoted(listed.text)) \(words)", from: listed.origin, help: help))
            return nil
        }
        switch UpstreamURL.parse(listed.text) {
        case .failure(let refusal): return refuse(refusal.words, refusal.help)
        case .success(let url):
            if url.transport.isEncrypted {
                return refuse("uses \(url.transport.rawValue)://: write udp://ADDRESS or tcp://ADDRESS")
            }
            guard let endpoint = url.endpoint else {
                return refuse("has a host name: nobody could find its address", "write its address")
            }
            if endpoint.address.isUnspecified { return refuse("is no address to send to") }
            return url
        }
    }
}
