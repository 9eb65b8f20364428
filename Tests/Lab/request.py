"""One DoH request of the lab upstream: its query, its response, and what the demand of its name does to both.

Made by https_server.py for each stream; `Server.take` asks it to `obey` a demand and to `answer` (RFC 8484).
"""

import base64
import binascii
import urllib.parse

import http2

ENDLESS_LIMIT = 64 << 20


def count(table, key):
    if len(table) < 1000 or key in table:
        table[key] = table.get(key, 0) + 1


class Request:
    def __init__(self, channel, stream, fields, window):
        self.channel, self.stream, self.fields, self.window = channel, stream, fields, window
        self.body, self.unsent = bytearray(), bytearray()
        self.ended = self.answered = self.endless = False
        self.sent, self.pace, self.timer, self.demand = 0, 0, None, {}

    @property
    def dead(self):
        return self.channel.dead

    def message(self):
        """The query's octets, or None."""
        counters, fields = self.channel.server.counters, self.fields
        path, _, parameters = fields.get(":path", "").partition("?")
        method = fields.get(":method", "")
        count(counters.methods, method)
        count(counters.paths, path)
        count(counters.authorities, fields.get(":authority", ""))
        if method == "POST":
            count(counters.content_types, fields.get("content-type", ""))
            return bytes(self.body)
        found = urllib.parse.parse_qs(parameters).get("dns", [""])[0]
        try:
            return base64.urlsafe_b64decode(found + "=" * (-len(found) % 4))
        except (binascii.Error, ValueError):
            return None

    # MARK: the demand of the name

    def obey(self, demand, asked):
        """True when the demand says that something else happens in place of an answer."""
        channel = self.channel
        if "close" in demand:
            channel.finish()
        elif "rst" in demand:
            channel.close(reset=True)
        elif "once" in demand and asked > 1:
            return False
        elif "rststream" in demand:
            channel.reset_stream(self.stream, http2.INTERNAL_ERROR)
        elif "refusestream" in demand:
            channel.reset_stream(self.stream, http2.REFUSED_STREAM)
        elif "goaway" in demand:
            channel.go_away(self.stream - 2)
        elif "goawayerror" in demand:
            channel.go_away(self.stream, http2.CALM)
            channel.finish()
        elif "badframe" in demand:
            channel.send(http2.frame(http2.SETTINGS, 0, self.stream, b"xxxxxx"))
        else:
            self.demand = demand
            return False
        return True

    def afterwards(self, demand):
        if "closeafter" in demand:
            self.channel.finish()
        elif "rstafter" in demand:
            self.channel.close(reset=True)

    # MARK: the response

    def answer(self, message):
        if self.answered:
            return
        options, demand = self.channel.server.options, self.demand
        fields = [("content-type", "text/html" if "ctype" in demand else options.content_type)]
        status = demand.get("http", options.http)
        retry = demand.get("retry", options.retry_after)
        if retry:
            fields.append(("retry-after", int(retry)))
        if status in (301, 302, 307, 308):
            fields.append(("location", "https://elsewhere.example/dns-query"))
        age, max_age = demand.get("age", options.age), demand.get("maxage", options.max_age)
        if age >= 0:
            fields.append(("age", int(age)))
        if max_age >= 0:
            fields.append(("cache-control", f"max-age={int(max_age)}"))
        if "informational" in demand:
            self._send_headers(103, [("link", "</x>")], False)
        if "goawayafter" in demand:
            self.channel.go_away(self.stream)
        if status != 200:
            fields[0] = ("content-type", "text/plain")
            message = f"status {status}".encode()
        self._respond_as_demanded(status, fields, message)

    def _respond_as_demanded(self, status, fields, message):
        demand = self.demand
        if "stalled" in demand:
            self.answered = True
            self._send_headers(status, fields, False)
        elif "endless" in demand:
            self.endless = True
            self.respond(status, fields, bytes(16384))
        elif "incomplete" in demand:
            self.respond(status, fields, message[:len(message) // 2])
        elif "nobody" in demand:
            self.respond(status, fields, b"")
        else:
            pace = demand.get("trickle", 0)
            self.pace = max(int(pace), 1) / 1000 if pace else 0
            self.respond(status, fields + [("content-length", len(message))], message)

    def _send_headers(self, status, fields, ends):
        flags = http2.END_HEADERS | (http2.END_STREAM if ends else 0)
        self.channel.send(http2.frame(http2.HEADERS, flags, self.stream, self.channel.header_block(status, fields)))

    def respond(self, status, fields, body):
        if self.answered or self.channel.closed or self.channel.requests.get(self.stream) is not self:
            return
        self.answered = True
        self.unsent += body
        ends = not body
        if body and not self.pace and len(body) <= min(self.window, self.channel.window, self.channel.max_frame) \
                and not self.endless:
            self._send_whole(status, fields, body)
            return
        self._send_headers(status, fields, ends)
        if ends:
            self.channel.done(self.stream)
        else:
            self.push()

    def _send_whole(self, status, fields, body):
        """The usual case: both frames in one write."""
        self.unsent.clear()
        self.channel.window -= len(body)
        self.channel.send(
            http2.frame(http2.HEADERS, http2.END_HEADERS, self.stream, self.channel.header_block(status, fields))
            + http2.frame(http2.DATA, http2.END_STREAM, self.stream, body))
        self.channel.done(self.stream)

    def push(self):
        """Sends as much of the body as both windows let through."""
        self.timer = None
        channel = self.channel
        while self.answered and self.unsent and not channel.closed:
            if channel.requests.get(self.stream) is not self:
                return
            size = min(len(self.unsent), self.window, channel.window, channel.max_frame)
            if self.pace:
                size = min(size, 1)
            if size <= 0:
                return
            piece = bytes(self.unsent[:size])
            del self.unsent[:size]
            self.window -= size
            channel.window -= size
            self.sent += size
            if self.endless and self.sent < ENDLESS_LIMIT:
                self.unsent += bytes(size)
            ends = not self.unsent
            channel.send(http2.frame(http2.DATA, http2.END_STREAM if ends else 0, self.stream, piece))
            if ends:
                channel.done(self.stream)
            elif self.pace or self.endless:
                self._later()
                return

    def _later(self):
        if self.timer is None:
            self.timer = self.channel.loop.later(self.pace or 0.001, self.push)
