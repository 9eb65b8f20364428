// Builds upstreams and groups: `[[upstream]]` tables, members by name or URL, names for URLs, the embedded default when
// nobody is named. Called by SettingsCheck. Equal URLs are one upstream, since the ceiling of a pool is per upstream.

/// Builds the upstreams and the groups that use them.
struct UpstreamBuilder {
    /// An upstream with the place of its URL.
    struct Built {
        var settings: Settings.Upstream
        var url: UpstreamURL
        var origin: Origin
    }

    private(set) var problems: [SettingsProblem] = []
    private(set) var groups: [Settings.Group] = []
    /// Those in use.
    private(set) var upstreams: [Built] = []

    /// `[[upstream]]` tables, good ones.
    private var defined: [Built] = []
    /// Names of tables that are there but not good: naming them is no second mistake.
    private var broken: Set<String> = []
    private var takenNames: Set<String> = []
    /// Nobody was named: the default group asks the public servers.
    private var usesEmbedded = false
    private let checked: CheckedDocument
    private var security: SecurityBuilder

    /// Members of one group.
    static let mostMembers = 256
    /// Addresses of one upstream.
    static let mostAddresses = 16

    /// `security`: with `[tls]` built already; its problems come out among those here.
    init(_ checked: CheckedDocument, _ security: SecurityBuilder) {
        self.checked = checked
        self.security = security
    }

    mutating func build() {
        defer { problems += security.problems }
        let tables = checked.document.tables
        // Written names first, so that a made one steps aside.
        for table in tables where checked.isWritten(table.slot + ".name") {
            takenNames.insert(checked.text(table.slot + ".name"))
        }
        var written: [String: Origin] = [:]
        for table in tables where table.slot.hasPrefix("upstream#") { define(table, &written) }

        groups = [group("default")]
        var named = Set(groups[0].members.map { upstreams[$0].settings.name })
        // No key of this build can name another group; it is still checked, since it will be used one day.
        let used = upstreams
        for table in tables where table.slot.hasPrefix("group.") && table.slot != "group.default" {
            let name = String(table.slot.dropFirst("group.".count))
            for member in group(name).members { named.insert(upstreams[member].settings.name) }
            reportUnused(group: name, table.origin)
        }
        upstreams = used
        for upstream in defined where !named.contains(upstream.settings.name) { reportUnused(upstream) }
    }

    /// Somebody who wrote an upstream must not have the names he asks for go to public servers instead, over a warning
    /// that nobody reads: then it is an error.
    private mutating func reportUnused(group name: String, _ origin: Origin) {
        guard usesEmbedded else {
            return problems.append(
                SettingsProblem("group '\(name)' is never used", from: origin, severity: .warning))
        }
        problems.append(
            SettingsProblem(
                "group '\(name)' is never used, and without upstreams the public default servers would be asked",
                from: origin, help: "write its members into upstreams = [...] or [group.default]"))
    }

    /// The same of an upstream.
    private mutating func reportUnused(_ upstream: Built) {
        let name = upstream.settings.name
        if usesEmbedded {
            problems.append(
                SettingsProblem(
                    "upstream '\(name)' is defined but no group uses it, and without upstreams the public default "
                        + "servers would be asked",
                    from: upstream.origin, help: "add upstreams = [\(quoted(name))]"))
        } else {
            problems.append(
                SettingsProblem(
                    "upstream '\(name)' is never used", from: upstream.origin,
                    help: "name it in upstreams = [\(quoted(name))]", severity: .warning))
        }
    }

    private mutating func define(_ table: TableSeen, _ written: inout [String: Origin]) {
        let slot = table.slot
        let name = checked.isWritten(slot + ".name") ? checked.text(slot + ".name") : nil
        if let name {
            let origin = checked.origin(slot + ".name")
            if let problem = NameCheck.problem("upstream", name, at: origin.place) {
                problems.append(problem)
            } else if let first = written[name] {
                problems.append(
                    SettingsProblem("upstream name '\(name)' is taken, see \(first.text)", from: origin))
            } else {
                written[name] = origin
            }
        }
        // The pool is checked even where the URL is not good: all problems in one pass.
        let pool = pool(slot + ".pool")
        guard checked.document.assignment(slot + ".url") != nil else {
            problems.append(
                SettingsProblem(
                    "[[upstream]]\(name.map { " '\($0)'" } ?? "") has no url", from: table.origin,
                    help: "write url = \"udp://ADDRESS\""))
            if let name { broken.insert(name) }
            return
        }
        let origin = checked.origin(slot + ".url")
        let text = checked.text(slot + ".url", fallback: "upstream.url")
        guard checked.isWritten(slot + ".url"), let url = parse(text, origin) else {
            if let name { broken.insert(name) }
            return
        }
        var upstream = make(url, text, slot: slot, name: name, origin)
        upstream.pool = pool
        let twin = defined.first { $0.url == url && $0.settings.endpoints == upstream.endpoints }
        if let twin {
            problems.append(
                SettingsProblem(
                    "upstream '\(twin.settings.name)' has this url already, see \(twin.origin.text)", from: origin))
            return
        }
        defined.append(Built(settings: upstream, url: url, origin: origin))
    }

    private mutating func group(_ name: String) -> Settings.Group {
        let slot = "group." + name
        var group = Settings.Group(name: name)
        group.strategy = checked.word(slot + ".strategy", .fastest)
        group.explore = checked.integer(slot + ".explore")
        group.attempts = checked.integer(slot + ".attempts")
        if case .duration(let nanoseconds) = checked.value(slot + ".attempt_timeout") {
            group.attemptTimeout = .nanoseconds(nanoseconds)
        }
        group.failoverOn = Set(
            checked.list(slot + ".failover_on").compactMap { listed in
                Reference.responseCodes.first { $0.name == listed.text }?.number
            })
        let texts = checked.list(slot + ".upstreams")
        if texts.count > UpstreamBuilder.mostMembers {
            problems.append(
                SettingsProblem(
                    "group '\(name)' has more than \(UpstreamBuilder.mostMembers) upstreams",
                    from: checked.origin(slot + ".upstreams")))
            return group
        }
        for listed in texts {
            guard let member = member(listed) else { continue }
            if group.members.contains(member) {
                problems.append(
                    SettingsProblem("\(quoted(listed.text)) is listed twice in group '\(name)'", from: listed.origin))
            } else {
                group.members.append(member)
            }
        }
        if texts.isEmpty {
            if name == "default" {
                // A value that was refused is not an absent one: then nobody is asked in its place.
                let slot = slot + ".upstreams"
                if checked.document.assignment(slot) == nil || checked.isWritten(slot) { addEmbedded(&group) }
            } else {
                problems.append(
                    SettingsProblem("group '\(name)' has no upstreams", from: checked.origin(slot + ".upstreams")))
            }
        }
        return group
    }

    private mutating func addEmbedded(_ group: inout Settings.Group) {
        usesEmbedded = true
        for server in EmbeddedDefault.upstreams {
            guard case .success(let url) = UpstreamURL.parse(server.url) else { continue }
            let name = NameCheck.made(from: server.name) { takenNames.contains($0) }
            var upstream = make(url, server.url, slot: nil, name: name, .builtIn)
            upstream.endpoints = server.addresses.compactMap(IPAddress.init).map {
                AddressAndPort(address: $0, port: url.port)
            }
            upstream.pool = pool(nil)
            group.members.append(use(Built(settings: upstream, url: url, origin: .builtIn)))
        }
    }

    private mutating func member(_ listed: CheckedValue.ListedText) -> Int? {
        let text = listed.text
        if let upstream = defined.first(where: { $0.settings.name == text }) { return use(upstream) }
        if broken.contains(text) { return nil }
        if text == "system" {
            problems.append(SettingsProblem("upstreams = [\"system\"] is not supported yet", from: listed.origin))
            return nil
        }
        guard UpstreamURL.looksLikeOne(text) else {
            let near = EditDistance.nearest(to: text, among: defined.map(\.settings.name))
            problems.append(
                SettingsProblem(
                    "no [[upstream]] is named \(quoted(text))", from: listed.origin,
                    note: near.map { "did you mean '\($0)'?" },
                    help: "write the name of an [[upstream]], or a URL such as udp://9.9.9.9"))
            return nil
        }
        guard let url = parse(text, listed.origin) else { return nil }
        if let known = (defined + upstreams).first(where: { $0.url == url }) { return use(known) }
        var upstream = make(url, text, slot: nil, name: nil, listed.origin)
        upstream.pool = pool(nil)
        return use(Built(settings: upstream, url: url, origin: listed.origin))
    }

    /// The index of an upstream among those in use.
    private mutating func use(_ upstream: Built) -> Int {
        if let index = upstreams.firstIndex(where: { $0.settings.name == upstream.settings.name }) { return index }
        upstreams.append(upstream)
        return upstreams.count - 1
    }

    /// `slot`: nil for an upstream that has no table of its own.
    private mutating func make(
        _ url: UpstreamURL, _ text: String, slot: String?, name: String?, _ origin: Origin
    ) -> Settings.Upstream {
        var base = url.name.isEmpty ? url.hostName : url.name
        if base.isEmpty, let endpoint = url.endpoint { base = "\(endpoint.address)" }
        if url.port != url.transport.port { base += ":\(url.port)" }
        let name = name ?? NameCheck.made(from: base) { takenNames.contains($0) }
        takenNames.insert(name)
        var upstream = Settings.Upstream(name: name, url: text, transport: url.transport)
        upstream.endpoints = endpoints(url, slot)
        upstream.hostName = upstream.endpoints.isEmpty ? url.hostName : ""
        upstream.port = url.port
        upstream.security = security.build(url, slot: slot, name: name, text: text, origin: origin)
        return upstream
    }

    /// The address of the URL, then those of `addresses`; one that is in both counts once.
    private mutating func endpoints(_ url: UpstreamURL, _ slot: String?) -> [AddressAndPort] {
        var endpoints = url.endpoint.map { [$0] } ?? []
        guard let slot = slot.map({ $0 + ".addresses" }) else { return endpoints }
        let texts = checked.list(slot, fallback: "upstream.addresses")
        if texts.count > UpstreamBuilder.mostAddresses {
            problems.append(
                SettingsProblem(
                    "'upstream.addresses' has more than \(UpstreamBuilder.mostAddresses) addresses",
                    from: checked.origin(slot)))
            return endpoints
        }
        var seen: [AddressAndPort] = []
        for listed in texts {
            func refuse(_ words: String, _ help: String? = nil) {
                problems.append(
                    SettingsProblem(
                        "'upstream.addresses': \(quoted(listed.text)) \(words)", from: listed.origin, help: help))
            }
            switch AddressText.parse(Substring(listed.text), port: url.port) {
            case .failure(let refusal): refuse(refusal.words, refusal.help)
            case .success(let endpoint) where endpoint.address.isUnspecified: refuse("is no address to send to")
            case .success(let endpoint) where seen.contains(endpoint): refuse("is listed twice")
            case .success(let endpoint):
                seen.append(endpoint)
                if !endpoints.contains(endpoint) { endpoints.append(endpoint) }
            }
        }
        return endpoints
    }

    private mutating func pool(_ own: String?) -> Settings.Pool {
        let builder = PoolBuilder(checked: checked, own: own)
        let pool = builder.build()
        for problem in builder.problems(pool) where !problems.contains(problem) { problems.append(problem) }
        return pool
    }

    private mutating func parse(_ text: String, _ origin: Origin) -> UpstreamURL? {
        switch UpstreamURL.parse(text) {
        case .success(let url):
            if let endpoint = url.endpoint, endpoint.address.isUnspecified {
                problems.append(SettingsProblem("upstream \(quoted(text)) is no address to send to", from: origin))
                return nil
            }
            return url
        case .failure(let refusal):
            problems.append(
                SettingsProblem("upstream \(quoted(text)) \(refusal.words)", from: origin, help: refusal.help))
            return nil
        }
    }
}
