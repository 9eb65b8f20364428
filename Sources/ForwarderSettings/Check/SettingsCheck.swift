// From a document to settings: every assignment against its row, then the parts built, then what only shows when all
// parts are seen together. All problems in one pass. The only way to make a `Settings`.

/// Judges a document.
struct SettingsCheck {
    private(set) var problems: [SettingsProblem]
    private var checked: CheckedDocument
    private let files: SettingsFiles

    /// `files`: for the limits of the machine, and to look at the files that settings name.
    init(_ document: SettingsDocument, files: SettingsFiles) {
        problems = document.problems
        checked = CheckedDocument(document: document)
        self.files = files
    }

    /// Whole settings; nil when a problem is an error.
    mutating func run() -> Settings? {
        checkValues()
        var settings = Settings()
        settings.version = checked.integer("version")
        if settings.version > 1 {
            problems.append(
                SettingsProblem(
                    "version \(settings.version) is newer than this build reads (1)", from: checked.origin("version")))
        }
        buildPlainSections(&settings)
        var health = HealthBuilder(checked)
        settings.health = health.build()
        problems += health.problems

        var security = SecurityBuilder(checked, files: files)
        security.buildTLS()
        settings.tls = security.tls
        let upstreams = buildGroups(security, &settings)
        var bootstrap = BootstrapBuilder(checked)
        let servers = bootstrap.build(for: upstreams.upstreams)
        problems += bootstrap.problems
        settings.bootstrap = servers.map(\.settings)

        var server = ServerBuilder(checked)
        settings.server = server.build()
        problems += server.problems

        buildClientSubnet(&settings)
        checkWorkers(&settings)
        let unused = upstreams.defined.filter { one in
            !upstreams.upstreams.contains { $0.settings.name == one.settings.name }
        }
        checkLoops(settings, upstreams.upstreams + unused + servers)
        checkFileLimit(settings)
        return problems.contains { $0.severity == .error } ? nil : settings
    }

    /// Upstreams, the groups that hold them, the routes that lead to groups.
    private mutating func buildGroups(_ security: SecurityBuilder, _ settings: inout Settings) -> UpstreamBuilder {
        var upstreams = UpstreamBuilder(checked, security)
        upstreams.define()
        var groups = GroupBuilder(checked, upstreams)
        var routes = RouteBuilder(checked)
        groups.build(routed: routes.groupNames)
        routes.build(&groups)
        groups.finish()
        problems += groups.upstreams.problems + groups.problems + routes.problems
        settings.groups = groups.groups
        settings.routes = routes.routes
        settings.upstreams = groups.upstreams.upstreams.map(\.settings)
        return groups.upstreams
    }

    private mutating func checkValues() {
        let document = checked.document
        for (index, assignment) in document.assignments.enumerated() {
            switch ValueCheck(row: assignment.row, path: assignment.path).check(assignment.node) {
            case .success(let value):
                if document.winners[assignment.slot] == index { checked.values[assignment.slot] = value }
            case .failure(let refusal):
                problems.append(refusal.problem)
            }
        }
    }

    private mutating func buildPlainSections(_ settings: inout Settings) {
        settings.cache.size = checked.integer("cache.size")
        settings.cache.minTTL = checked.duration("cache.min_ttl")
        settings.cache.maxTTL = checked.duration("cache.max_ttl")
        settings.cache.negativeMaxTTL = checked.duration("cache.negative_max_ttl")
        settings.cache.failureTTL = checked.duration("cache.failure_ttl")
        settings.cache.stale = checked.duration("cache.stale")
        settings.cache.staleAfter = checked.duration("cache.stale_after")
        settings.cache.staleTTL = checked.duration("cache.stale_ttl")
        settings.cache.prefetch = checked.integer("cache.prefetch")
        settings.cache.prefetchMinHits = checked.integer("cache.prefetch_min_hits")
        settings.cache.persist = checked.boolean("cache.persist")
        settings.cache.persistInterval = checked.duration("cache.persist_interval")
        if settings.cache.minTTL > settings.cache.maxTTL {
            problems.append(
                SettingsProblem(
                    "'cache.min_ttl' is more than 'cache.max_ttl'",
                    from: checked.origin(checked.isWritten("cache.min_ttl") ? "cache.min_ttl" : "cache.max_ttl")))
        }
        settings.dns.coalesce = checked.boolean("dns.coalesce")
        settings.dns.cookies = checked.boolean("dns.cookies")
        settings.dns.caseRandomization = checked.word("dns.case_randomization", .udp)
        settings.dns.padding = checked.integer("dns.padding")
        settings.dns.extendedErrors = checked.boolean("dns.extended_errors")
        settings.local.specialNames = checked.boolean("local.special_names")
        settings.log.level = checked.word("log.level", .info)
        settings.log.target = checked.word("log.target", .auto)
        settings.log.format = checked.word("log.format", .text)
    }

    private mutating func buildClientSubnet(_ settings: inout Settings) {
        let text = checked.text("dns.client_subnet")
        guard text != "strip" else { return }
        let origin = checked.origin("dns.client_subnet")
        if text == "forward" {
            problems.append(SettingsProblem("'dns.client_subnet' = \"forward\" is not supported yet", from: origin))
            return
        }
        switch AddressText.parseBlock(text) {
        case .success(let block): settings.dns.clientSubnet = block
        case .failure(let refusal):
            let near = EditDistance.nearest(to: text, among: ["strip"])
            problems.append(
                SettingsProblem(
                    "'dns.client_subnet': \(quoted(text)) \(refusal.words)", from: origin,
                    note: near.map { "did you mean '\($0)'?" }, help: refusal.help))
        }
    }

    /// Every worker needs a connection of its own to every upstream.
    private mutating func checkWorkers(_ settings: inout Settings) {
        let least = (settings.upstreams + settings.bootstrap).min { $0.pool.maxConnections < $1.pool.maxConnections }
        if case .integer(let number) = checked.value("server.workers") {
            settings.server.workers = number
            if let least, number > least.pool.maxConnections {
                problems.append(
                    SettingsProblem(
                        "'server.workers' is \(number), but upstream '\(least.name)' may have only "
                            + "\(least.pool.maxConnections) connections: each worker needs one",
                        from: checked.origin("server.workers"),
                        help: "write workers = \"auto\", or raise max_connections"))
            }
        } else {
            settings.server.workers = max(1, min(files.usableCPUs, 8, least?.pool.maxConnections ?? 8))
        }
    }

    private mutating func checkLoops(_ settings: Settings, _ upstreams: [UpstreamBuilder.Built]) {
        for upstream in upstreams {
            for target in upstream.settings.endpoints where isOwnListener(target, settings.server.listen) {
                problems.append(
                    SettingsProblem("upstream \(target) is this server's own listener (loop)", from: upstream.origin))
            }
        }
    }

    private func isOwnListener(_ target: AddressAndPort, _ listeners: [Settings.Listener]) -> Bool {
        let address = target.address.unmapped
        return listeners.contains { listener in
            let own = listener.endpoint
            guard own.port == target.port else { return false }
            // A wildcard listener hears every loopback address, and :: hears IPv4 too.
            return own.address.unmapped == address
                || own.address.isUnspecified && address.isLoopback && (own.address.isIPv6 || !address.isIPv6)
        }
    }

    private mutating func checkFileLimit(_ settings: Settings) {
        let pools = (settings.upstreams + settings.bootstrap).reduce(0) { $0 + $1.pool.maxConnections }
        let needed = pools + settings.server.tcpMaxClients
        if needed > files.openFileLimit {
            problems.append(
                SettingsProblem(
                    "pools (\(pools)) and server.tcp_max_clients (\(settings.server.tcpMaxClients)) may need \(needed) "
                        + "open files, but the limit is \(files.openFileLimit)",
                    help: "raise LimitNOFILE= or `ulimit -n`, or lower the two", severity: .warning))
        }
    }
}
