// The rows for what faces clients: top level, [server], [cache], [dns], [local]. The order is that of the default file.

extension Reference {
    static let topLevel: [ReferenceKey] = [
        ReferenceKey(
            "version", .integer(1...Int.max), "1", "Format of this file. A newer number is an error, not a guess."),
        ReferenceKey(
            "include", .list(), #"["conf.d/*.toml"]"#,
            "Files beside this one, sorted: tables merge (the last wins), [[arrays]] append."),
        ReferenceKey(
            "upstreams", .list(), "[]",
            "Shorthand for group.default.upstreams. With neither, the embedded default servers are asked."),
        ReferenceKey(
            "bootstrap", .list(), #"["udp://9.9.9.9", "udp://1.1.1.1"]"#,
            "udp or tcp URLs with addresses; asked only for the host names of upstream URLs that have no address."),
    ]

    static let server: [ReferenceKey] = [
        ReferenceKey(
            "server.listen", .list(), #"["127.0.0.1", "[::1]"]"#,
            "ADDR[:PORT] means UDP and TCP, port 53; udp:// or tcp:// before it means that one only."),
        ReferenceKey(
            "server.workers", .integer(1...256, words: ["auto"]), #""auto""#,
            "Threads. auto = usable CPUs, at most 8, and never more than the smallest max_connections of an upstream.",
            reloadable: false),
        ReferenceKey(
            "server.allow", .list(), #"["loopback", "private"]"#,
            "Who may ask: any, loopback, private (RFC 1918, ULA, link-local) or CIDR. Others get REFUSED with EDE 18."),
        ReferenceKey("server.deny", .list(), "[]", "CIDR blocks that may not ask; wins over allow."),
        ReferenceKey(
            "server.query_deadline", .duration("500ms", "30s"), #""4s""#,
            "Whole life of one client query. Stub resolvers give up at 5 s."),
        ReferenceKey(
            "server.max_inflight", .integer(100...1_000_000), "20000", "Queries that may wait for an upstream."),
        ReferenceKey(
            "server.max_inflight_per_client", .integer(0...1_000_000), "1000",
            "The same for one client (a /32 or a /56); 0 = no limit."),
        ReferenceKey(
            "server.overload", .word(["servfail", "drop"]), #""servfail""#,
            "What a query past max_inflight gets: SERVFAIL or nothing. Cached answers are given even then."),
        ReferenceKey(
            "server.rate_limit", .rate(0...1_000_000), #""0/s""#,
            "Queries a second and client prefix (a /32 or a /56), burst of one second; 0/s = off. Past it UDP gets TC=1 "
                + "or nothing; TCP and cookies are exempt."),
        ReferenceKey(
            "server.udp_payload", .integer(512...4096), "1232", "Largest UDP message, both ways (octets, EDNS)."),
        ReferenceKey(
            "server.udp_receive_buffer", .size("64KiB", "256MiB"), #""4MiB""#,
            "Asked of the kernel; what it really gives is reported."),
        ReferenceKey("server.udp_batch", .integer(1...1024), "32", "Datagrams a recvmmsg or sendmmsg."),
        ReferenceKey("server.tcp_max_clients", .integer(1...65_536), "1024", "TCP connections from clients."),
        ReferenceKey(
            "server.tcp_idle_timeout", .duration("1s", "10m"), #""10s""#, "Announced by edns-tcp-keepalive."),
        ReferenceKey(
            "server.tcp_max_pipelined", .integer(1...10_000), "100", "Unanswered queries on one client connection."),
        ReferenceKey("server.freebind", .boolean, "true", "Bind addresses that are not up yet."),
        ReferenceKey(
            "server.any_query", .word(["minimal", "refuse", "forward"]), #""minimal""#,
            "What an ANY query gets; minimal is RFC 8482."),
        ReferenceKey(
            "server.identity", .text, #""""#, "Answer to id.server and version.bind (CH TXT); empty = REFUSED."),
        ReferenceKey(
            "server.shutdown_grace", .duration("0s", "60s"), #""5s""#, "Time to finish what is in flight at stop."),
    ]

    static let cache: [ReferenceKey] = [
        ReferenceKey(
            "cache.size", .size("1MiB", "64GiB", zero: true), #""64MiB""#,
            "Hard bound, overhead included; 0B = off."),
        ReferenceKey("cache.min_ttl", .duration("0s", "1h"), #""0s""#, "Shorter TTLs are kept this long."),
        ReferenceKey("cache.max_ttl", .duration("1s", "7d"), #""1d""#, "Longer TTLs are cut to this."),
        ReferenceKey(
            "cache.negative_max_ttl", .duration("0s", "1d"), #""1h""#, "The same for NXDOMAIN and empty answers."),
        ReferenceKey(
            "cache.failure_ttl", .duration("1s", "5m"), #""5s""#, "How long a failure is remembered (RFC 9520)."),
        ReferenceKey(
            "cache.stale", .duration("0s", "7d"), #""1d""#,
            "How long past its end an answer is kept, for times when no fresh one can be had (RFC 8767); 0s = off."),
        ReferenceKey(
            "cache.stale_after", .duration("0s", "10s"), #""1.8s""#,
            "Wait for a fresh answer before a stale one is given; 0s = at once, and refresh behind."),
        ReferenceKey("cache.stale_ttl", .duration("1s", "5m"), #""30s""#, "TTL of a stale answer."),
        ReferenceKey(
            "cache.prefetch", .share(0...50), #""10%""#,
            "Refresh popular answers with less than this of their TTL left; 0% = off."),
        ReferenceKey(
            "cache.prefetch_min_hits", .integer(1...1000), "2", "Hits that make an answer popular."),
        ReferenceKey(
            "cache.persist", .boolean, "true",
            "Keep a snapshot in the state directory, at stop and every persist_interval."),
        ReferenceKey("cache.persist_interval", .duration("1m", "1d"), #""10m""#, "Time between snapshots."),
    ]

    static let dns: [ReferenceKey] = [
        ReferenceKey("dns.coalesce", .boolean, "true", "One upstream query for equal ones in flight."),
        ReferenceKey(
            "dns.client_subnet", .text, #""strip""#,
            "strip, or a prefix to send with every query, such as 192.0.2.0/24 (RFC 7871)."),
        ReferenceKey("dns.cookies", .boolean, "true", "RFC 7873 toward UDP and TCP upstreams."),
        ReferenceKey(
            "dns.case_randomization", .word(["off", "udp", "all"]), #""udp""#,
            "Random letter case in questions, toward which upstreams."),
        ReferenceKey(
            "dns.padding", .integer(0...512), "128",
            "Block size that queries over TLS and HTTPS are padded to (RFC 8467); 0 = off."),
        ReferenceKey("dns.extended_errors", .boolean, "true", "RFC 8914 reasons toward clients."),
        ReferenceKey(
            "dns.dnssec", .word(["pass"], later: ["validate"]), #""pass""#, "DO, AD, CD and signatures pass through."),
    ]

    static let local: [ReferenceKey] = [
        .later("local.hosts", .list(), #"["/etc/hosts"]"#, "Files in the form of /etc/hosts; [] = off."),
        .later("local.hosts_ttl", .duration("1s", "1d"), #""1m""#, "TTL of answers from hosts files."),
        ReferenceKey(
            "local.special_names", .boolean, "true",
            "localhost, invalid, test, onion and private reverse zones stay here (RFC 6761, 6303, 7686)."),
        .later(
            "local.rebind_protection", .boolean, "false", "Drop private addresses in answers for public names."),
        .later("local.rebind_allow", .list(), "[]", "Suffixes that may have private addresses."),
    ]
}
