"""What one query makes the lab upstream do, apart from the transport: counting, dropping, delaying, answering.

The UDP and TCP servers hand each query to `Server.take` with two callbacks: one that sends a message and one that
sends from another port (None over TCP).
"""

import random

import answers
import behaviours
import probes
import wire
from counters import Counters

PLAIN = {}


class Options:
    """What can be set for the whole server, by the command line or by the control channel."""

    DEFAULTS = {
        "delay": 0, "jitter": 0, "loss": 0.0, "no_edns": False, "cookies": False, "silent": False, "drop_udp": False,
        "slow_share": 0.0, "slow_delay": 200, "fail_zone": "",
        "rcode": -1, "truncate": False, "lower_case": False, "addresses": "", "ttl": -1,
        "close_after": 0, "close_idle": 0.0, "close_at_once": False, "half_close": 0, "rst_after": 0,
        "drip": 0, "drip_ms": 1, "never_read": False, "out_of_order": False, "in_order": False, "refuse_tcp": False,
        "max_connections": 0,
        # TLS
        "certificate": "good", "tls": "", "tickets": 2, "no_alpn": False, "alpn": "", "handshake": "",
        "handshake_delay": 0, "record_size": 0, "no_notice": False,
        # HTTP
        "http": 200, "retry_after": 0, "content_type": "application/dns-message", "age": -1, "max_age": -1,
        "max_streams": 100, "window": 0, "goaway_after": 0, "no_pong": False,
    }

    def __init__(self, **changes):
        self.__dict__.update(self.DEFAULTS)
        self.set(changes)

    def set(self, changes):
        for name, value in changes.items():
            if name not in self.DEFAULTS:
                raise ValueError(f"unknown option {name!r}")
            setattr(self, name, value)
        self.fail_wire = wire.encode_name(self.fail_zone.lower()) if self.fail_zone else b""
        self.shape_answers = (self.rcode >= 0 or self.truncate or self.lower_case or bool(self.addresses)
                              or self.ttl >= 0)

    def report(self):
        return {name: getattr(self, name) for name in self.DEFAULTS}


class Server:
    """Shared by both transports of one lab upstream."""

    def __init__(self, loop, options, seed=1):
        self.loop, self.options, self.counters = loop, options, Counters()
        self.demands = {}
        # Its own sequence, so that the same share is slow whatever else draws random numbers.
        self.slow_random = random.Random(seed)
        # Whether nothing arrives and nothing leaves: as a path that drops everything.
        self.hole = False

    def demand(self, name, labels):
        found = self.demands.get(name)
        if found is None:
            if len(self.demands) > 50000:
                self.demands.clear()
            found = behaviours.parse_demand(labels()) if b"\x03lab" in name else PLAIN
            self.demands[name] = found
        return found

    def take(self, query, send, send_elsewhere=None, channel=None):
        """Handles one query. `channel` is the TCP connection, for the behaviours of connections."""
        options, counters = self.options, self.counters
        probe = probes.kind_of(query)
        is_swallowed = self.hole or channel is not None and channel.dead
        if probe:
            counters.probe(probe)
            counters.keepalive(query)
        elif is_swallowed:
            counters.swallowed += 1
        if is_swallowed:
            return
        asked = 0 if probe else counters.query(query)
        demand = self.demand(query.name, query.labels)
        if self._is_dropped(query, demand, asked):
            return
        wait = options.delay
        if demand or options.jitter:
            wait += answers.demand_number(demand, "delay", 0)
            jitter = max(options.jitter, answers.demand_number(demand, "jitter", 0))
            wait += random.random() * jitter
        if options.slow_share and self.slow_random.random() * 100 < options.slow_share:
            wait += options.slow_delay
        key = None if probe else counters.begin(query)
        if wait:
            self.loop.later(wait / 1000, self._answer, key, query, demand, asked, send, send_elsewhere, channel)
        else:
            self._answer(key, query, demand, asked, send, send_elsewhere, channel)

    def _is_dropped(self, query, demand, asked):
        options = self.options
        if options.silent or options.drop_udp and query.transport == "udp":
            return True
        if options.loss and query.transport == "udp" and random.random() * 100 < options.loss:
            return True
        if not demand:
            return False
        drop = demand.get("drop")
        if drop is not None and (drop is True or asked <= drop) and (query.transport != "udp" or "ontcp" not in demand):
            return True
        if "dropudp" in demand and query.transport == "udp":
            return True
        return "loss" in demand and query.transport == "udp" and random.random() * 100 < demand["loss"]

    def _answer(self, key, query, demand, asked, send, send_elsewhere, channel):
        if key:
            self.counters.end(key)
        if self.hole or channel is not None and channel.dead:
            return
        options = self.options
        if key is None:
            self._answer_probe(query, send)
            return
        self.counters.answered += 1
        if options.fail_wire and query.name.endswith(options.fail_wire):
            self.counters.failed_zone += 1
            send(answers.right_message(query, {"rcode": wire.SERVFAIL}, asked, options).encode())
            return
        if not demand and not options.shape_answers and not options.no_edns:
            send(answers.plain_message(query, options.cookies))
            return
        self._answer_demand(query, self._with_options(demand), asked, send, send_elsewhere, channel)

    def _answer_probe(self, query, send):
        """The root's name servers, or that there is no such name; the options that shape answers hold here too."""
        if self.options.shape_answers or self.options.no_edns:
            send(answers.right_message(query, self._with_options(PLAIN), 0, self.options).encode())
        elif probes.kind_of(query) == probes.LOOP:
            send(probes.no_such_name(query))
        else:
            send(answers.plain_message(query, self.options.cookies))

    def _with_options(self, demand):
        options = self.options
        if not options.shape_answers:
            return demand
        demand = dict(demand)
        if options.rcode >= 0:
            demand["rcode"] = options.rcode
        if options.truncate:
            demand["tc"] = True
        if options.lower_case:
            demand["swapcase"] = True
        if options.addresses:
            demand["addresses"] = options.addresses.split(",")
        if options.ttl >= 0:
            demand["ttl"] = options.ttl
        return demand

    def _answer_demand(self, query, demand, asked, send, send_elsewhere, channel):
        if channel is not None and channel.obey(demand, asked):
            return
        if behaviours.applies(demand, query.transport):
            if "tc" in demand or "tcfull" in demand:
                send(self._truncated(query, demand, asked))
                return
            if "wrongsource" in demand:
                if send_elsewhere:
                    send_elsewhere(answers.right_message(query, demand, asked, self.options).encode())
                if "thenright" not in demand:
                    return
            messages = answers.spoiled(query, demand, asked, self.options)
            for message in messages:
                send(message)
            if messages and not {"thenright", "forge", "forgeq"} & demand.keys():
                return
        message = self._fit(query, answers.right_message(query, demand, asked, self.options))
        send(message)
        if "dup" in demand and behaviours.applies(demand, query.transport):
            send(message)
        if channel is not None:
            channel.afterwards(demand)

    def _truncated(self, query, demand, asked):
        message = answers.right_message(query, demand, asked, self.options)
        message.flags |= answers.wire.TC
        if "tcfull" in demand:
            message.answers = message.answers[:1]
        else:
            message.answers, message.authority, message.additional = [], [], []
        return message.encode()

    @staticmethod
    def _fit(query, message):
        """The octets, with TC and without records when they do not fit the client's UDP size."""
        encoded = message.encode()
        limit = max(query.udp_size, 512) if query.transport == "udp" else 65535
        if len(encoded) > limit:
            message.flags |= answers.wire.TC
            message.answers, message.authority, message.additional = [], [], []
            return message.encode()
        return encoded
