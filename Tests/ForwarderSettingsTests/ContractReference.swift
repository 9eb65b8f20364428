// The reference block of the outward contract as it was agreed, without its comments: the test of the table reads its
// keys and defaults. Copied, not made from the table, so that the two can disagree.

enum ContractReference {
    static let text = #"""
        version = 1
        include = ["conf.d/*.toml"]
        upstreams = []
        bootstrap = ["udp://9.9.9.9", "udp://1.1.1.1"]

        [server]
        listen = ["127.0.0.1", "[::1]"]
        workers = "auto"
        allow = ["loopback", "private"]
        deny = []
        query_deadline = "5s"
        max_inflight = 20000
        max_inflight_per_client = 1000
        overload = "servfail"
        rate_limit = "0/s"
        udp_payload = 1232
        udp_receive_buffer = "4MiB"
        udp_batch = 32
        tcp_max_clients = 1024
        tcp_idle_timeout = "10s"
        tcp_max_pipelined = 100
        freebind = true
        any_query = "minimal"
        identity = ""
        shutdown_grace = "5s"

        [group.default]
        upstreams = []
        strategy = "fastest"
        parallel = 2
        explore = "5%"
        hedge = "auto"
        attempts = 3
        attempt_timeout = "auto"
        failover_on = ["SERVFAIL", "REFUSED", "NOTIMP", "FORMERR"]
        fallback = ""
        when_down = "stale"

        [pool]
        profile = "medium"
        max_connections = 10
        idle_timeout = "5m"
        learn_idle = true
        min_connections = 0
        prewarm = 1
        max_inflight = 100
        max_age = "1h"
        max_queries = 0
        connect_timeout = "2s"
        acquire_timeout = "1s"
        max_waiters = 1000
        retry_stale = true
        udp_max_age = "60s"
        udp_max_queries = 1000

        [health]
        mode = "lazy"
        interval = "10s"
        query = ". NS"
        timeout = "1s"
        fail_after = 3
        recover_after = 1
        backoff_min = "1s"
        backoff_max = "1m"

        [cache]
        size = "64MiB"
        min_ttl = "0s"
        max_ttl = "1d"
        negative_max_ttl = "1h"
        failure_ttl = "5s"
        stale = "1d"
        stale_after = "1.8s"
        stale_ttl = "30s"
        prefetch = "10%"
        prefetch_min_hits = 2
        persist = true
        persist_interval = "10m"

        [tls]
        min_version = "1.2"
        ca = "system"
        resumption = true
        keylog = ""

        [dns]
        coalesce = true
        client_subnet = "strip"
        cookies = true
        case_randomization = "udp"
        padding = 128
        extended_errors = true
        dnssec = "pass"

        [local]
        hosts = ["/etc/hosts"]
        hosts_ttl = "1m"
        special_names = true
        rebind_protection = false
        rebind_allow = []

        [log]
        level = "info"
        target = "auto"
        format = "text"

        [query_log]
        target = "off"
        format = "json"
        sample = "100%"
        only = []
        slow = "500ms"
        names = "full"
        clients = "full"
        buffer = 8192
        rotate_size = "64MiB"
        rotate_keep = 5

        [dnstap]
        target = ""
        messages = ["client", "forwarder"]
        identity = ""
        buffer = 10000

        [status]
        listen = "127.0.0.1:8053"
        serve = ["page", "metrics", "json", "health"]
        allowed_hosts = ["localhost", "127.0.0.1", "[::1]"]
        show_names = false
        token_file = ""
        history = "1h"

        [control]
        socket = "auto"
        mode = "0660"

        [[upstream]]
        name = "quad9"
        url = "tls://dns.quad9.net@9.9.9.9"
        addresses = ["9.9.9.9", "149.112.112.112", "2620:fe::fe"]
        weight = 1
        verify = "strict"
        pins = []
        ca = ""
        http_method = "POST"
        interface = ""
        source = ""
        mark = 0

        [upstream.pool]
        max_connections = 20

        [[route]]
        domains = ["corp.example", "10.in-addr.arpa"]
        action = "forward"
        group = ""
        upstreams = ["10.0.0.53"]
        clients = []
        types = []
        cache = true

        [[record]]
        name = "printer.home.arpa"
        type = "A"
        data = ["192.168.1.20"]
        ttl = "1m"

        [[blocklist]]
        name = "ads"
        files = ["lists/ads.txt"]
        allow = []
        answer = "nxdomain"
        ttl = "1m"
        clients = []
        """#
}
