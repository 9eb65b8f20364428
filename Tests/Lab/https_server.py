"""The DoH side of the lab upstream: HTTP/2 over TLS, one Request for each stream (RFC 8484, RFC 9113).

The framing is http2.py. Flow control is kept in both directions, since clients are tested for theirs. A Request is what
`Server.take` knows as the channel of a query: the behaviours of single requests are in request.py.
"""

import hpack

import http2
import wire
from request import Request
from tls_server import TLSChannel, TLSServer

STREAM_LIMIT = 10000


class HTTPSChannel(TLSChannel):
    transport, protocol = "https", "h2"

    def __init__(self, owner, connection, peer):
        self.decoder = hpack.Decoder()
        self.requests, self.block = {}, None
        self.greeted = self.leaving = self.lingering = self.has_shrunk = False
        self.window, self.peer_window = http2.FIRST_WINDOW, http2.FIRST_WINDOW
        self.max_frame, self.highest, self.last_taken = http2.FIRST_MAX_FRAME, 0, 1 << 31
        super().__init__(owner, connection, peer)

    def _begin(self):
        options = self.server.options
        values = {"max_streams": options.max_streams}
        if options.window:
            values["window"] = options.window
        self._emit(http2.settings(**values))
        self._write()

    def send(self, octets):
        if not self.closed and not self.finishing:
            self._emit(octets)
            self._write()

    # MARK: reading

    def _take_frames(self):
        if not self.greeted:
            if len(self.received) < len(http2.PREFACE):
                return
            if not self.received.startswith(http2.PREFACE):
                self.server.counters.malformed += 1
                self.close()
                return
            del self.received[:len(http2.PREFACE)]
            self.greeted = True
        while not self.closed and (found := http2.next_frame(self.received)):
            kind, flags, stream, payload = found
            handler = self.HANDLERS.get(kind)
            if handler:
                handler(self, flags, stream, payload)

    def _take_headers(self, flags, stream, payload):
        self.block = (stream, flags, http2.unpadded(flags, payload))
        self._take_block(flags)

    def _take_continuation(self, flags, stream, payload):
        if self.block:
            self.block = (self.block[0], self.block[1], self.block[2] + payload)
            self._take_block(flags)

    def _take_block(self, flags):
        if not flags & http2.END_HEADERS:
            return
        (stream, first, block), self.block = self.block, None
        try:
            fields = dict(self.decoder.decode(block))
        except hpack.HPACKError:
            self.server.counters.malformed += 1
            self.send(http2.goaway(self.highest, http2.PROTOCOL_ERROR))
            self.finish()
            return
        counters, options = self.server.counters, self.server.options
        self.highest = max(self.highest, stream)
        counters.highest_stream = max(counters.highest_stream, stream)
        if stream > self.last_taken:
            return
        if len(self.requests) >= options.max_streams or len(self.requests) >= STREAM_LIMIT:
            counters.streams_over_limit += 1
            self.send(http2.reset(stream, http2.REFUSED_STREAM))
            return
        window = self.peer_window
        self.requests[stream] = request = Request(self, stream, fields, window)
        if first & http2.END_STREAM:
            self._dispatch(request)

    def _take_data(self, flags, stream, payload):
        if payload:
            updates = http2.window_update(0, len(payload))
            if not flags & http2.END_STREAM and stream in self.requests:
                updates += http2.window_update(stream, len(payload))
            self.send(updates)
        request = self.requests.get(stream)
        if request is None:
            return
        request.body += http2.unpadded(flags & ~http2.PRIORITIZED, payload)
        if len(request.body) > 65535:
            self.reset_stream(stream, http2.CANCEL)
        elif flags & http2.END_STREAM:
            self._dispatch(request)

    def _dispatch(self, request):
        self._count_pending()
        message = request.message()
        query = wire.parse_query(message, "https", self.peer) if message else None
        if query is None:
            self.server.counters.malformed += 1
            request.respond(400, [("content-type", "text/plain")], b"no query")
            return
        self.server.counters.nonzero_ids += query.id != 0
        self.server.take(query, request.answer, None, request)
        options = self.server.options
        if options.goaway_after and request.stream >= 2 * options.goaway_after - 1 and not self.leaving:
            self.go_away(request.stream)

    def _take_settings(self, flags, stream, payload):
        if flags & http2.ACK:
            return
        values = http2.parse_settings(payload)
        self.max_frame = min(values.get(http2.SETTING_MAX_FRAME, self.max_frame), 65536)
        if http2.SETTING_WINDOW in values:
            change = values[http2.SETTING_WINDOW] - self.peer_window
            self.peer_window += change
            for request in self.requests.values():
                request.window += change
        self.send(http2.frame(http2.SETTINGS, http2.ACK))
        self._push_all()

    def _take_window_update(self, flags, stream, payload):
        octets = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF
        if stream == 0:
            self.window += octets
            self._push_all()
        elif stream in self.requests:
            self.requests[stream].window += octets
            self.requests[stream].push()

    def _take_reset(self, flags, stream, payload):
        code = int.from_bytes(payload[:4], "big")
        word, table = http2.ERRORS.get(code, str(code)), self.server.counters.stream_errors
        table[word] = table.get(word, 0) + 1
        self.forget(stream)

    def _take_ping(self, flags, stream, payload):
        if flags & http2.ACK:
            return
        self.server.counters.pings += 1
        if not self.server.options.no_pong and not self.server.options.silent:
            self.send(http2.frame(http2.PING, http2.ACK, 0, payload))

    def _take_goaway(self, flags, stream, payload):
        self.server.counters.goaways += 1

    HANDLERS = {
        http2.HEADERS: _take_headers, http2.CONTINUATION: _take_continuation, http2.DATA: _take_data,
        http2.SETTINGS: _take_settings, http2.WINDOW_UPDATE: _take_window_update, http2.RST_STREAM: _take_reset,
        http2.PING: _take_ping, http2.GOAWAY: _take_goaway,
    }

    # MARK: writing

    def header_block(self, status, fields):
        """The first one says that the dynamic table is not used, as who shrinks it must (RFC 7541 section 4.2)."""
        update, self.has_shrunk = b"" if self.has_shrunk else http2.NO_TABLE, True
        return update + http2.header_block(status, fields)

    def _push_all(self):
        for request in list(self.requests.values()):
            request.push()

    def forget(self, stream):
        if self.requests.pop(stream, None):
            self.pending = max(0, self.pending - 1)
        self._leave_when_done()

    def done(self, stream):
        """A response went out whole."""
        self.forget(stream)
        if not self.closed and not self.finishing:
            self._count_answer()

    def reset_stream(self, stream, code):
        self.send(http2.reset(stream, code))
        self.forget(stream)

    def go_away(self, last, code=http2.NO_ERROR):
        """GOAWAY: streams above `last` are as if never sent; the connection ends when the others are done."""
        self.leaving, self.last_taken = True, max(0, last)
        self.send(http2.goaway(self.last_taken, code))
        for stream in [s for s in self.requests if s > self.last_taken]:
            self.forget(stream)
        self._leave_when_done()

    def _leave_when_done(self):
        """The end after GOAWAY: a while later, since closing with unread octets resets and takes answers along."""
        if self.leaving and not self.lingering and not any(s <= self.last_taken for s in self.requests):
            self.lingering = True
            self.loop.later(0.3, self.finish)

    def _say_goodbye(self):
        if self.established and not self.server.options.no_notice and not self.leaving:
            self._emit(http2.goaway(self.highest, http2.NO_ERROR))
        super()._say_goodbye()


class HTTPSServer(TLSServer):
    channel = HTTPSChannel
