// Builds upstreams: `[[upstream]]` tables, members of groups and routes by name or URL, names for URLs, the embedded
// default when nobody is named, and the places of the machine's own servers. Called by SettingsCheck and GroupBuilder.
// Equal URLs are one upstream, since the ceiling of a pool is per upstream.

/// Builds the upstreams that groups use.
struct UpstreamBuilder {
    /// An upstream with the place of its URL.
    struct Built {
        var settings: Settings.Upstream
        /// nil for one of the machine's own servers.
        var url: UpstreamURL?
        var origin: Origin
        /// `upstream#2`; nil when it has no table of its own.
        var slot: String?
    }

    private(set) var problems: [SettingsProblem] = []
    /// Those in use.
    private(set) var upstreams: [Built] = []
    /// `[[upstream]]` tables, good ones.
    private(set) var defined: [Built] = []
    /// Nobody was named: the default group asks the public servers.
    private(set) var usesEmbedded = false

    /// Names of tables that are there but not good: naming them is no second mistake.
    private var broken: Set<String> = []
    private var takenNames: Set<String> = []
    private let checked: CheckedDocument
    private var security: SecurityBuilder

    /// Addresses of one upstream.
    static let mostAddresses = 16
    /// Servers of the machine that are asked: resolvers read three (MAXNS of resolv.h).
    static let mostSystemServers = 3
    /// Stands for them among the members of a group.
    static let systemWord = "system"

    /// `security`: with `[tls]` built already; its problems come out among those here.
    init(_ checked: CheckedDocument, _ security: SecurityBuilder) {
        self.checked = checked
        self.security = security
    }

    /// Reads the tables; to be called before anything else.
    mutating func define() {
        defer { takeProblems() }
        let tables = checked.document.tables.filter { $0.slot.hasPrefix("upstream#") }
        // Written names first, so that a made one steps aside.
        for table in tables where checked.isWritten(table.slot + ".name") {
            takenNames.insert(checked.text(table.slot + ".name"))
        }
        var written: [String: Origin] = [:]
        for table in tables { define(table, &written) }
    }

    /// What the security of upstreams had to say.
    private mutating func takeProblems() { problems += security.takeProblems() }

    /// Keeps a reader of an unused group from bringing its upstreams into use.
    mutating func forgetUses(after count: Int) { upstreams.removeSubrange(min(count, upstreams.count)...) }

    private mutating func define(_ table: TableSeen, _ written: inout [String: Origin]) {
        let slot = table.slot
        let name = checked.isWritten(slot + ".name") ? checked.text(slot + ".name") : nil
        if let name {
            let origin = checked.origin(slot + ".name")
            if let problem = NameCheck.problem("upstream", name, at: origin.place) {
                problems.append(problem)
            } else if name == UpstreamBuilder.systemWord {
                problems.append(
                    SettingsProblem(
                        "upstream name 'system' means the machine's own servers: take another", from: origin))
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
        upstream.weight = checked.integer(slot + ".weight", fallback: "upstream.weight")
        defined.append(Built(settings: upstream, url: url, origin: origin, slot: slot))
    }

    /// The public servers, as members.
    mutating func embedded() -> [Int] {
        defer { takeProblems() }
        usesEmbedded = true
        var members: [Int] = []
        for server in EmbeddedDefault.upstreams {
            guard case .success(let url) = UpstreamURL.parse(server.url) else { continue }
            let name = NameCheck.made(from: server.name) { takenNames.contains($0) }
            var upstream = make(url, server.url, slot: nil, name: name, .builtIn)
            upstream.endpoints = server.addresses.compactMap(IPAddress.init).map {
                AddressAndPort(address: $0, port: url.port)
            }
            upstream.pool = pool(nil)
            members.append(use(Built(settings: upstream, url: url, origin: .builtIn)))
        }
        return members
    }

    /// What one text stands for: an upstream by name or URL, or the machine's servers; none when it is no good.
    mutating func members(_ listed: CheckedValue.ListedText) -> [Int] {
        defer { takeProblems() }
        if listed.text == UpstreamBuilder.systemWord { return systemServers(listed.origin) }
        return member(listed).map { [$0] } ?? []
    }

    /// Places for the servers that the machine is told to ask: which they are shows at run time, and may change.
    private mutating func systemServers(_ origin: Origin) -> [Int] {
        let known = upstreams.indices.filter { upstreams[$0].settings.isSystem }
        if !known.isEmpty { return known }
        return (1...UpstreamBuilder.mostSystemServers).map { number in
            let name = NameCheck.made(from: "system-\(number)") { takenNames.contains($0) }
            takenNames.insert(name)
            var upstream = Settings.Upstream(name: name, url: UpstreamBuilder.systemWord, transport: .udp)
            upstream.isSystem = true
            upstream.pool = pool(nil)
            return use(Built(settings: upstream, url: nil, origin: origin))
        }
    }

    private mutating func member(_ listed: CheckedValue.ListedText) -> Int? {
        let text = listed.text
        if let upstream = defined.first(where: { $0.settings.name == text }) { return use(upstream) }
        if broken.contains(text) { return nil }
        guard UpstreamURL.looksLikeOne(text) else {
            let near = EditDistance.nearest(
                to: text, among: defined.map(\.settings.name) + [UpstreamBuilder.systemWord])
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
