// The commented default file, made from the reference table: config/fleetwing.toml is this text, and a test keeps them
// equal. Keys are commented out, so that a new default reaches those who changed nothing.

/// The text of the default file.
public func renderDefaultFile() -> String {
    var text = DefaultFile.head
    for section in DefaultFile.sections {
        let rows = section.rows.filter(\.isBuilt)
        if rows.isEmpty { continue }
        text += "\n"
        if !section.header.isEmpty { text += "\(section.header)\n" }
        for row in rows { text += DefaultFile.lines(row) }
        text += section.tail
    }
    return text + DefaultFile.foot
}

/// The parts of the default file.
enum DefaultFile {
    /// A section with its header; `tail` follows its keys.
    struct Section {
        let header: String
        let rows: [ReferenceKey]
        var tail = ""
    }

    static let sections: [Section] = [
        Section(header: "", rows: Reference.topLevel),
        Section(header: "[server]", rows: Reference.server),
        Section(header: "[group.default]", rows: Reference.group),
        Section(
            header: "[pool]                         # for one upstream; [upstream.pool] overrides any key",
            rows: Reference.pool),
        Section(header: "[health]", rows: Reference.health),
        Section(header: "[cache]", rows: Reference.cache),
        Section(header: "[tls]", rows: Reference.tls),
        Section(header: "[dns]", rows: Reference.dns),
        Section(header: "[local]", rows: Reference.local),
        Section(header: "[log]", rows: Reference.log),
    ]

    static let head = """
        # Fleetwing's settings. Everything here is commented out and shows the default: take away a # to change a value.
        # Durations, sizes, shares and rates need a unit: "300ms", "64MiB", "10%", "50/s".
        # `fleetwing check` finds mistakes, `fleetwing config show` prints what holds and where it comes from,
        # `fleetwing config explain KEY` tells more about a key, also about those that come with later versions.
        #
        # Without upstreams two operators are asked over TLS, at these addresses:

        """ + embedded

    private static let embedded = EmbeddedDefault.upstreams.map { server in
        "#   \(quoted(server.url)): \(server.addresses.joined(separator: ", "))\n"
    }.joined()

    static let foot = """

        # An upstream with a name and settings of its own; name it in `upstreams` above.
        #[[upstream]]
        # The url is scheme://[TLS-NAME@]HOST[:PORT][/PATH]: udp (also without a scheme), tcp, tls or https.
        #name = "office"                # a-z 0-9 -, at most 32
        #url = "tls://dns.corp.example@10.0.0.53"  # a HOST that is a name is resolved through bootstrap
        #addresses = ["10.0.0.54"]      # more of them, ADDR[:PORT]
        #weight = 1                     # 1..1000; for strategy = "weighted"
        #verify = "strict"              # off: accept any certificate; a warning at every start
        #pins = []                      # "sha256/BASE64" of public keys; one must match, on top of verify
        #ca = ""                        # empty = tls.ca
        #http_method = "POST"           # POST | GET; for https:// only
        #[upstream.pool]                # any key of [pool]
        #max_connections = 20

        # More groups have the keys of [group.default]. A route or a fallback names them.
        #[group.backup]
        #upstreams = ["tls://dns.quad9.net@9.9.9.9"]

        # Queries that go another way. The longest matching domain of all routes wins, then the one with more conditions
        # (clients, types), then the one with narrower clients; the order in the file never counts.
        #[[route]]
        #domains = ["corp.example", "10.in-addr.arpa"]  # with all names below; absent = every name
        #action = "forward"             # forward | refuse | nxdomain | drop
        #group = ""                     # the NAME of a [group.NAME] ...
        #upstreams = ["10.0.0.53"]      # ... or URLs and names of upstreams straight away
        #clients = []                   # CIDR, or any, loopback, private; empty = for all
        #types = []                     # A, AAAA, HTTPS, TYPE65, ...; empty = for all
        #cache = true                   # false: answers that came this way are not kept

        """

    /// `#key = value   # help`, the help on lines of its own where it is long.
    static func lines(_ row: ReferenceKey) -> String {
        let setting = "#\(row.name) = \(row.written)"
        var remark = row.help
        let allowed = row.type.allowed
        if !allowed.isEmpty { remark += " Allowed: \(allowed)." }
        if !row.reloadable { remark += " Applies at restart." }
        let padding = String(repeating: " ", count: max(1, 31 - setting.count))
        let oneLine = setting + padding + "# " + remark
        if oneLine.count <= 120 { return oneLine + "\n" }
        return wrapped(remark) + setting + "\n"
    }

    /// As comment lines of at most 120 characters.
    private static func wrapped(_ text: String) -> String {
        var lines: [String] = []
        var line = "#"
        for word in text.split(separator: " ") {
            if line.count + 1 + word.count > 120 {
                lines.append(line)
                line = "#"
            }
            line += " " + word
        }
        lines.append(line)
        return lines.map { $0 + "\n" }.joined()
    }
}
