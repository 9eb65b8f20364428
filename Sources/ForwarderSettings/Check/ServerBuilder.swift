// Builds `[server]`: listeners and access lists are parsed here, the rest is copied. Called by SettingsCheck. Workers
// are decided there, since they hang on the pools.

/// Builds the server section.
struct ServerBuilder {
    private(set) var problems: [SettingsProblem] = []
    private let checked: CheckedDocument

    init(_ checked: CheckedDocument) { self.checked = checked }

    mutating func build() -> Settings.Server {
        var server = Settings.Server()
        server.listen = listeners()
        server.allow = networks("server.allow", words: true)
        server.deny = networks("server.deny", words: false)
        server.queryDeadline = checked.duration("server.query_deadline")
        server.maxInflight = checked.integer("server.max_inflight")
        server.maxInflightPerClient = checked.integer("server.max_inflight_per_client")
        server.overload = checked.word("server.overload", .servfail)
        server.rateLimit = checked.integer("server.rate_limit")
        server.udpPayload = checked.integer("server.udp_payload")
        server.udpReceiveBuffer = checked.integer("server.udp_receive_buffer")
        server.udpBatch = checked.integer("server.udp_batch")
        server.tcpMaxClients = checked.integer("server.tcp_max_clients")
        server.tcpIdleTimeout = checked.duration("server.tcp_idle_timeout")
        server.tcpMaxPipelined = checked.integer("server.tcp_max_pipelined")
        server.freebind = checked.boolean("server.freebind")
        server.anyQuery = checked.word("server.any_query", .minimal)
        server.identity = identity()
        server.shutdownGrace = checked.duration("server.shutdown_grace")
        return server
    }

    private mutating func listeners() -> [Settings.Listener] {
        let texts = checked.list("server.listen")
        if texts.isEmpty {
            problems.append(
                SettingsProblem(
                    "'server.listen' is empty: there is nothing to serve", from: checked.origin("server.listen")))
        }
        if texts.count > 256 {
            problems.append(
                SettingsProblem("'server.listen' has more than 256 addresses", from: checked.origin("server.listen")))
            return []
        }
        var listeners: [Settings.Listener] = []
        for listed in texts {
            guard let listener = listener(listed) else { continue }
            let twice = listeners.contains {
                $0.endpoint == listener.endpoint && ($0.udp && listener.udp || $0.tcp && listener.tcp)
            }
            if twice {
                problems.append(SettingsProblem("\(quoted(listed.text)) is listed twice", from: listed.origin))
            } else {
                listeners.append(listener)
            }
        }
        return listeners
    }

    private mutating func listener(_ listed: CheckedValue.ListedText) -> Settings.Listener? {
        var rest = Substring(listed.text)
        var (udp, tcp) = (true, true)
        if let mark = listed.text.firstRange(of: "://") {
            let scheme = listed.text[..<mark.lowerBound]
            rest = listed.text[mark.upperBound...]
            switch scheme {
            case "udp": tcp = false
            case "tcp": udp = false
            default:
                refuse(listed, "has an unknown scheme '\(scheme)'", "write udp:// or tcp://, or none for both")
                return nil
            }
        }
        if rest == "systemd" || rest.hasPrefix("systemd:") {
            refuse(listed, "is not supported yet", nil)
            return nil
        }
        switch AddressText.parse(rest, port: UpstreamURL.plainPort) {
        case .success(let endpoint):
            return Settings.Listener(endpoint: endpoint, udp: udp, tcp: tcp, text: listed.text)
        case .failure(let refusal):
            if refusal.isName {
                refuse(listed, "is not an IP address", "listen on addresses, such as 127.0.0.1 or [::1]")
            } else {
                refuse(listed, refusal.words, refusal.help)
            }
            return nil
        }
    }

    private mutating func refuse(_ listed: CheckedValue.ListedText, _ words: String, _ help: String?) {
        problems.append(SettingsProblem("listener \(quoted(listed.text)) \(words)", from: listed.origin, help: help))
    }

    private mutating func networks(_ slot: String, words: Bool) -> [AddressBlock] {
        var list = NetworkList()
        defer { problems += list.problems }
        return list.read(checked.list(slot), path: slot, words: words)
    }

    /// It is sent as one TXT string, which holds 255 octets (RFC 1035 section 3.3).
    private mutating func identity() -> String {
        let identity = checked.text("server.identity")
        if identity.utf8.count > 255 {
            problems.append(
                SettingsProblem("'server.identity' is longer than 255 octets", from: checked.origin("server.identity")))
        }
        return identity
    }
}
