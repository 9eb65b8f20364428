"""What the lab upstream saw: the numbers that tests assert on. Called once for every query and connection.

Tables are bounded: names are counted up to NAME_LIMIT different ones, ids per port up to 65536.
"""

from wire import AD, CD, OPTION_KEEPALIVE, RD

NAME_LIMIT = 200000


class Counters:
    def __init__(self):
        self.reset()

    def reset(self):
        self.udp = self.tcp = self.tls = self.https = self.malformed = 0
        self.answered = 0
        # Not among the queries above: the forwarder's own probes, and what a black hole swallowed.
        self.probes = self.loop_probes = self.swallowed = 0
        self.failed_zone = 0
        self.keepalives_asked = 0
        self.ports = {}
        self.ids = set()
        self.port_ids = {}
        self.id_repeats = 0
        self.asked = {}
        self.names = {}
        self.in_flight = getattr(self, "in_flight", 0)
        self.max_in_flight = self.in_flight
        self.in_flight_questions = getattr(self, "in_flight_questions", {})
        self.duplicates = 0
        self.case_mixed = self.with_cookie = self.with_server_cookie = 0
        self.client_cookies = set()
        self.options = {}
        self.flags = {"do": 0, "cd": 0, "ad": 0, "rd": 0, "edns": 0}
        self.sizes = {}
        self.connections_opened = 0
        self.connections_open = getattr(self, "connections_open", 0)
        self.connections_peak = self.connections_open
        self.connections_closed_by_peer = 0
        self.peak_pipelined = 0
        self.opened_by = {}
        self._reset_tls()
        self._reset_http()

    def _reset_tls(self):
        self.handshakes = self.resumed = self.tickets_offered = self.tickets_reused = self.close_notifies = 0
        self.tickets_seen = getattr(self, "tickets_seen", set())
        self.handshake_failures, self.alerts = {}, {}
        self.server_names, self.alpn, self.tls_versions = {}, {}, {}
        # Queries are `frames` here; a record may carry several of them.
        self.records = self.frames = self.frames_per_record_peak = 0
        self.query_sizes = {}

    def _reset_http(self):
        self.methods, self.paths, self.authorities, self.content_types = {}, {}, {}, {}
        self.stream_errors = {}
        self.nonzero_ids = self.streams_over_limit = self.pings = self.goaways = self.highest_stream = 0

    def probe(self, kind):
        """Counts one of the forwarder's own queries."""
        if kind == "health":
            self.probes += 1
        else:
            self.loop_probes += 1

    def query(self, query):
        """Counts one query; returns how often its question was asked so far."""
        if query.transport == "udp":
            self.udp += 1
            port = query.peer[1]
            self.ports[port] = self.ports.get(port, 0) + 1
            seen = self.port_ids.setdefault(port, set())
            if query.id in seen:
                self.id_repeats += 1
            seen.add(query.id)
        else:
            setattr(self, query.transport, getattr(self, query.transport) + 1)
            if query.transport != "tcp":
                size = len(query.raw)
                self.query_sizes[size] = self.query_sizes.get(size, 0) + 1
        self.ids.add(query.id)
        flags, table = query.flags, self.flags
        if flags & RD:
            table["rd"] += 1
        if flags & CD:
            table["cd"] += 1
        if flags & AD:
            table["ad"] += 1
        if query.edns:
            self._edns(query)
        if query.question[:len(query.name)] != query.name:
            self.case_mixed += 1
        return self._name(query)

    def keepalive(self, query):
        """Counts edns-tcp-keepalive, that of the daemon's loop probe too: it may be the first on its connection."""
        self.keepalives_asked += any(code == OPTION_KEEPALIVE for code, _ in query.options)

    def _edns(self, query):
        self.keepalive(query)
        self.flags["edns"] += 1
        if query.do:
            self.flags["do"] += 1
        self.sizes[query.udp_size] = self.sizes.get(query.udp_size, 0) + 1
        for code, body in query.options:
            self.options[code] = self.options.get(code, 0) + 1
            if code == 10:
                self.with_cookie += 1
                self.client_cookies.add(body[:8])
                if len(body) > 8:
                    self.with_server_cookie += 1

    def _name(self, query):
        key = (query.name, query.qtype)
        if len(self.asked) >= NAME_LIMIT and key not in self.asked:
            return 1
        count = self.asked.get(key, 0) + 1
        self.asked[key] = count
        return count

    def begin(self, query):
        """A query whose answer will come later."""
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        key = (query.name, query.qtype, query.do, query.flags & CD)
        count = self.in_flight_questions.get(key, 0)
        if count:
            self.duplicates += 1
        self.in_flight_questions[key] = count + 1
        return key

    def end(self, key):
        self.in_flight -= 1
        count = self.in_flight_questions.get(key, 1) - 1
        if count:
            self.in_flight_questions[key] = count
        else:
            self.in_flight_questions.pop(key, None)

    def opened(self, transport):
        self.connections_opened += 1
        self.opened_by[transport] = self.opened_by.get(transport, 0) + 1
        self.connections_open += 1
        self.connections_peak = max(self.connections_peak, self.connections_open)

    def closed(self):
        self.connections_open -= 1

    def report(self):
        """All of it as plain values for JSON."""
        plain = ("udp", "tcp", "malformed", "answered", "loop_probes", "keepalives_asked", "id_repeats", "in_flight",
                 "max_in_flight", "duplicates", "case_mixed", "with_cookie", "with_server_cookie", "options", "flags",
                 "sizes", "connections_opened", "connections_open", "connections_peak", "connections_closed_by_peer",
                 "peak_pipelined", "ports", "tls", "https", "opened_by",
                 "handshakes", "resumed", "tickets_offered", "tickets_reused", "close_notifies",
                 "handshake_failures", "alerts", "server_names", "alpn", "tls_versions", "records", "frames",
                 "frames_per_record_peak", "query_sizes", "methods", "paths", "authorities", "content_types",
                 "stream_errors", "nonzero_ids", "streams_over_limit", "pings", "goaways", "highest_stream",
                 "probes", "swallowed", "failed_zone")
        report = {name: getattr(self, name) for name in plain}
        report["queries"] = self.udp + self.tcp + self.tls + self.https
        report["arrived"] = report["queries"] + self.swallowed + self.probes + self.loop_probes
        report["distinct_ports"] = len(self.ports)
        report["distinct_ids"] = len(self.ids)
        report["distinct_names"] = len(self.asked)
        report["distinct_client_cookies"] = len(self.client_cookies)
        return report
