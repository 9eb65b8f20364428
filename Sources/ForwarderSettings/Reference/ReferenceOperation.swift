// The rows for what faces operators: logs, dnstap, status, control; and the rows of records and blocklists, which come
// with later issues. The order is that of the default file.

extension Reference {
    static let log: [ReferenceKey] = [
        ReferenceKey(
            "log.level", .word(["error", "warning", "info", "debug", "trace"]), #""info""#,
            "Least important level that is written."),
        ReferenceKey(
            "log.target", .word(["auto", "journal", "stderr"]), #""auto""#,
            "auto = the journal under systemd, else stderr."),
        ReferenceKey("log.format", .word(["text", "json"]), #""text""#, "On stderr only."),
    ]

    static let queryLog: [ReferenceKey] = [
        .later("query_log.target", .text, #""off""#, "off, journal, stderr, or a file in the logs directory."),
        .later("query_log.format", .word(["json", "text", "tsv"]), #""json""#, "Form of a line."),
        .later("query_log.sample", .share(0...100), #""100%""#, "Share of queries that is written."),
        .later(
            "query_log.only", .list(words: ["errors", "slow", "blocked", "stale", "upstream"]), "[]",
            "Only these kinds."),
        .later("query_log.slow", .duration("1ms", "30s"), #""500ms""#, "From when a query is slow."),
        .later("query_log.names", .word(["full", "hash", "none"]), #""full""#, "How names are written."),
        .later("query_log.clients", .word(["full", "prefix", "none"]), #""full""#, "How clients are written."),
        .later("query_log.buffer", .integer(64...1_048_576), "8192", "Records; when full, dropped and counted."),
        .later("query_log.rotate_size", .size("1MiB", "16GiB"), #""64MiB""#, "Size at which a file is rotated."),
        .later("query_log.rotate_keep", .integer(0...1000), "5", "Rotated files that are kept."),
    ]

    static let dnstap: [ReferenceKey] = [
        .later("dnstap.target", .text, #""""#, "unix:PATH or tcp:ADDR:PORT; empty = off."),
        .later("dnstap.messages", .list(words: ["client", "forwarder"]), #"["client", "forwarder"]"#, "Which kinds."),
        .later("dnstap.identity", .text, #""""#, "Empty = host name."),
        .later("dnstap.buffer", .integer(64...1_048_576), "10000", "Frames; when full, dropped and counted."),
    ]

    static let status: [ReferenceKey] = [
        .later(
            "status.listen", .text, #""127.0.0.1:8053""#, "ADDR:PORT or unix:PATH; empty = off.", reloadable: true),
        .later(
            "status.serve", .list(words: ["page", "metrics", "json", "health"]),
            #"["page", "metrics", "json", "health"]"#, "What is served."),
        .later(
            "status.allowed_hosts", .list(), #"["localhost", "127.0.0.1", "[::1]"]"#, "Host header; others get 421."),
        .later("status.show_names", .boolean, "false", "Names and clients on the page and in JSON."),
        .later("status.token_file", .text, #""""#, "Must be set when listen is not loopback."),
        .later("status.history", .duration("1m", "1d"), #""1h""#, "One-second points that are kept."),
    ]

    static let control: [ReferenceKey] = [
        .later("control.socket", .text, #""auto""#, "auto, or a path; empty = none.", reloadable: false),
        .later("control.mode", .text, #""0660""#, "Mode of the socket.", reloadable: false),
    ]

    static let record: [ReferenceKey] = [
        .later("record.name", .text, #""""#, "Owner name."),
        .later("record.type", .text, #""""#, "Record type."),
        .later("record.data", .list(), "[]", "Record data."),
        .later("record.ttl", .duration("0s", "7d"), #""1m""#, "TTL."),
    ]

    static let blocklist: [ReferenceKey] = [
        .later("blocklist.name", .text, #""""#, "Name of the list."),
        .later("blocklist.files", .list(), "[]", "Plain names, hosts lines or ||name^."),
        .later("blocklist.allow", .list(), "[]", "Names let through."),
        .later(
            "blocklist.answer", .word(["nxdomain", "nodata", "zero", "refused"]), #""nxdomain""#,
            "What a blocked name gets; always with EDE 15."),
        .later("blocklist.ttl", .duration("1s", "1d"), #""1m""#, "TTL of that answer."),
        .later("blocklist.clients", .list(), "[]", "CIDR that the list is for; empty = all."),
    ]
}
