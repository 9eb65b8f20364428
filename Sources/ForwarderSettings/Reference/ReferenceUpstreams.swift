// The rows for what faces upstreams: [group.*], [pool], [health], [tls], [[upstream]]. The order is that of the default
// file.

extension Reference {
    static let group: [ReferenceKey] = [
        ReferenceKey(
            "group.*.upstreams", .list(), "[]",
            "Names of [[upstream]] tables, URLs, or \"system\": the machine's own servers."),
        ReferenceKey(
            "group.*.strategy",
            .word(["fastest", "ordered", "round-robin", "random", "weighted", "parallel", "sticky"]),
            #""fastest""#, "How a member is picked; sticky = by the name that is asked for."),
        ReferenceKey(
            "group.*.parallel", .integer(2...8), "2",
            "Members asked at once; the first good answer wins. For strategy = \"parallel\" only."),
        ReferenceKey(
            "group.*.explore", .share(0...50), #""5%""#,
            "Share of queries that re-measure members that are not the best."),
        ReferenceKey(
            "group.*.hedge", .duration("1ms", "5s", words: ["off", "auto"]), #""auto""#,
            "Ask a second member when the first is late; auto = after that member's 95th percentile, within "
                + "10ms..500ms."),
        ReferenceKey("group.*.attempts", .integer(1...10), "3", "Sends a query."),
        ReferenceKey(
            "group.*.attempt_timeout", .duration("50ms", "10s", words: ["auto"]), #""auto""#,
            "Wait for one send; auto = from the round trip, within 200ms..2s."),
        ReferenceKey(
            "group.*.failover_on", .list(words: responseCodes.map(\.name)),
            #"["SERVFAIL", "REFUSED", "NOTIMP", "FORMERR"]"#, "RCODEs on which another member is asked."),
        ReferenceKey("group.*.fallback", .text, #""""#, "Another group, asked only while every member is down."),
        ReferenceKey(
            "group.*.when_down", .word(["stale", "servfail", "fallback"]), #""stale""#,
            "While every member is down: stale = a stale answer at once where there is one, else the fallback; "
                + "fallback = that group first; servfail = no stale answers."),
    ]

    static let pool: [ReferenceKey] = [
        ReferenceKey(
            "pool.profile", .word(["low", "medium", "high", "very-high"]), #""medium""#,
            "max_connections/idle_timeout at once: low 3/5m, medium 10/5m, high 20/10m, very-high 50/15m."),
        ReferenceKey(
            "pool.max_connections", .integer(1...1000), "10",
            "Hard ceiling for one upstream over the whole process: opening, open and draining sockets all count."),
        ReferenceKey(
            "pool.idle_timeout", .duration("1s", "1h"), #""5m""#, "Upper bound; see learn_idle."),
        ReferenceKey(
            "pool.learn_idle", .boolean, "true",
            "Close sooner for an upstream that closes earlier, or says so (RFC 7828)."),
        ReferenceKey("pool.min_connections", .integer(0...1000), "0", "Kept open though idle."),
        ReferenceKey("pool.prewarm", .integer(0...1000), "1", "Opened at start."),
        ReferenceKey(
            "pool.max_inflight", .integer(1...65_535), "100",
            "Queries in flight on a TCP, TLS or HTTPS connection (HTTPS: the server's own limit holds too)."),
        ReferenceKey("pool.max_age", .duration("0s", "24h"), #""1h""#, "Then a connection is replaced; 0s = no limit."),
        ReferenceKey(
            "pool.max_queries", .integer(0...1_000_000_000), "0", "Then a connection is replaced; 0 = no limit."),
        ReferenceKey(
            "pool.connect_timeout", .duration("100ms", "10s"), #""2s""#,
            "Wait for a connection to open, TCP and TLS together."),
        ReferenceKey("pool.acquire_timeout", .duration("10ms", "10s"), #""1s""#, "Wait for a place on a connection."),
        ReferenceKey("pool.max_waiters", .integer(0...100_000), "1000", "Queries that may wait for a place."),
        ReferenceKey(
            "pool.retry_stale", .boolean, "true",
            "A query lost with a connection that gave answers is sent again at once and counts as no attempt, 8 "
                + "times at most."),
        ReferenceKey(
            "pool.udp_max_age", .duration("1s", "1h"), #""15s""#, "Then a UDP socket, and so its port, is replaced."),
        ReferenceKey("pool.udp_max_queries", .integer(1...1_000_000), "32", "The same after so many queries."),
    ]

    static let health: [ReferenceKey] = [
        ReferenceKey(
            "health.mode", .word(["off", "lazy", "active"]), #""lazy""#,
            "Probes: lazy = only of what failed, active = of all, off = none (a client's query tries a failed one)."),
        ReferenceKey(
            "health.interval", .duration("1s", "10m"), #""10s""#, "Between probes of what is well; active only."),
        ReferenceKey(
            "health.query", .text, #"". NS""#, "NAME TYPE of a probe; any answer, even REFUSED, proves life."),
        ReferenceKey("health.timeout", .duration("100ms", "10s"), #""1s""#, "Wait for the answer to a probe."),
        ReferenceKey(
            "health.fail_after", .integer(1...100), "3",
            "Failures in a row, of different names, that take an upstream for down."),
        ReferenceKey("health.recover_after", .integer(1...100), "1", "Answers in a row that bring it back."),
        ReferenceKey(
            "health.backoff_min", .duration("100ms", "1m"), #""1s""#, "First pause between probes of what is down."),
        ReferenceKey(
            "health.backoff_max", .duration("1s", "1m"), #""10s""#,
            "Longest pause: so soon after its return an upstream is used again."),
    ]

    static let tls: [ReferenceKey] = [
        ReferenceKey("tls.min_version", .word(["1.2", "1.3"]), #""1.2""#, "Oldest TLS version that is spoken."),
        ReferenceKey(
            "tls.ca", .text, #""system""#,
            "Trust anchors: system, or a file or directory of PEM certificates (a relative path is beside this file)."),
        ReferenceKey("tls.resumption", .boolean, "true", "Resume sessions, by tickets that are used once."),
        ReferenceKey(
            "tls.keylog", .text, #""""#,
            "Key log file for packet captures; whoever has it can read every query. A warning at every start."),
    ]

    static let upstream: [ReferenceKey] = [
        ReferenceKey("upstream.name", .text, #""""#, "a-z 0-9 -, at most 32; absent = made from the URL."),
        ReferenceKey(
            "upstream.url", .text, #""""#,
            "scheme://[TLS-NAME@]HOST[:PORT][/PATH]; udp (also without a scheme), tcp, tls or https. A HOST that is a "
                + "name is resolved through bootstrap."),
        ReferenceKey(
            "upstream.addresses", .list(), "[]",
            "ADDR[:PORT], more of them for this one upstream, beside that of the URL."),
        ReferenceKey(
            "upstream.weight", .integer(1...1000), "1", "Its share of the queries; for strategy = \"weighted\" only."),
        ReferenceKey(
            "upstream.verify", .word(["strict", "off"]), #""strict""#,
            "Check certificate and name (RFC 8310); off is warned about at every start."),
        ReferenceKey(
            "upstream.pins", .list(), "[]",
            "\"sha256/BASE64\" of public keys; one must match, on top of verify."),
        ReferenceKey("upstream.ca", .text, #""""#, "Trust anchors of this upstream; empty = tls.ca."),
        ReferenceKey("upstream.http_method", .word(["POST", "GET"]), #""POST""#, "For https URLs (RFC 8484)."),
        .later("upstream.interface", .text, #""""#, "SO_BINDTODEVICE."),
        .later("upstream.source", .text, #""""#, "Local address."),
        .later("upstream.mark", .integer(0...4_294_967_295), "0", "SO_MARK."),
    ]

    /// RCODEs by name; NOERROR and NXDOMAIN are answers, not failures, and so not among them.
    static let responseCodes: [(name: String, number: Int)] = [
        ("FORMERR", 1), ("SERVFAIL", 2), ("NOTIMP", 4), ("REFUSED", 5), ("YXDOMAIN", 6), ("YXRRSET", 7),
        ("NXRRSET", 8), ("NOTAUTH", 9), ("NOTZONE", 10),
    ]
}
