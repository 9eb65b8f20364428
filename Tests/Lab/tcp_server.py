"""The TCP side of the lab upstream: pipelined connections that misbehave on demand (RFC 7766).

A Channel is one connection. Answers are queued as octets; the drip option lets them out a few at a time. Counting
"after N" counts answers of that connection.
"""

import socket
import struct

import wire

RESET = struct.pack("ii", 1, 0)
READ = 65536


class TCPServer:
    """Accepts the connections of one port. `channel` is the class that serves each, set at the end of this file."""

    channel = None

    def __init__(self, loop, server, listener):
        self.loop, self.server, self.listener = loop, server, listener
        self.channels, self.filler = set(), None
        listener.setblocking(False)
        loop.watch(listener.fileno(), self._acceptable)

    def close(self, reset=True):
        """Ends the listener and its connections: by reset, as a program that was killed, or in order."""
        self._open_ears()
        self.loop.forget(self.listener.fileno())
        self.listener.close()
        for channel in list(self.channels):
            if not reset:
                channel.finish()
            channel.close(reset)

    # MARK: a path that drops everything

    def fall_silent(self, deaf):
        """No octet leaves any connection from here on. `deaf`: not even the handshakes of new ones are answered."""
        for channel in self.channels:
            channel.dead = True
        if deaf and self.filler is None:
            # The kernel drops SYNs while the queue of connections to accept is full, and one is enough to fill it.
            self.loop.forget(self.listener.fileno())
            self.listener.listen(0)
            self.filler = socket.socket(self.listener.family, socket.SOCK_STREAM)
            self.filler.setblocking(False)
            self.filler.connect_ex(self.listener.getsockname())

    def come_back(self):
        """New connections are served again; those of before stay silent for ever, as when a router lost its state."""
        self._open_ears()

    def _open_ears(self):
        if self.filler is None:
            return
        own = self.filler.getsockname()
        self.filler.close()
        self.filler = None
        self.listener.listen(1024)
        self.loop.watch(self.listener.fileno(), lambda *_: self._acceptable(but=own))

    def _acceptable(self, *_, but=None):
        for _ in range(64):
            try:
                connection, peer = self.listener.accept()
            except OSError:
                return
            if peer == but:
                connection.close()
                continue
            options = self.server.options
            full = options.max_connections and len(self.channels) >= options.max_connections
            self.server.counters.opened(self.channel.transport)
            if options.close_at_once or full:
                connection.close()
                self.server.counters.closed()
                continue
            channel = self.channel(self, connection, peer)
            channel.dead = self.server.hole
            self.channels.add(channel)


class Channel:
    transport = "tcp"

    def __init__(self, owner, connection, peer):
        self.owner, self.loop, self.server = owner, owner.loop, owner.server
        self.connection, self.peer = connection, peer
        self.received, self.unsent, self.held = bytearray(), bytearray(), []
        self.answered = self.pending = 0
        self.closed = self.finishing = self.shut = False
        # Reads and never writes again.
        self.dead = False
        self.timer = self.idle = self.order_timer = None
        self.sequence, self.waiting = 0, {}
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.server.options.never_read:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._watch()
        self._restart_idle()

    # MARK: reading

    def _watch(self):
        if not self.closed:
            reading = not self.server.options.never_read and not self.finishing
            writing = bool(self.unsent) and not self.server.options.drip
            self.loop.watch(self.connection.fileno(), self._ready, writing, reading)

    def _ready(self, readable, writable, hung_up):
        if hung_up and not readable:
            self.server.counters.connections_closed_by_peer += 1
            self.close()
            return
        if writable:
            self._write()
        if readable and not self.closed:
            self._read()

    def _read(self):
        try:
            data = self.connection.recv(READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.server.counters.connections_closed_by_peer += 1
            self.close()
            return
        self._restart_idle()
        self._take_octets(data)

    def _take_octets(self, data):
        self.received += data
        self._take_frames()

    def _take_frames(self):
        while not self.closed and len(self.received) >= 2:
            length = self.received[0] << 8 | self.received[1]
            if len(self.received) < 2 + length:
                return
            message = bytes(self.received[2:2 + length])
            del self.received[:2 + length]
            query = wire.parse_query(message, self.transport, self.peer)
            if query is None:
                self.server.counters.malformed += 1
                continue
            self._count_pending()
            self.sequence += 1
            number = self.sequence
            self.server.take(query, lambda octets, number=number: self.answer(octets, number), None, self)

    def _count_pending(self):
        self.pending += 1
        counters = self.server.counters
        counters.frames += 1
        counters.peak_pipelined = max(counters.peak_pipelined, self.pending)

    # MARK: answering

    def answer(self, message, number=None):
        """Queues one framed message, in the order that the options ask for."""
        if self.closed or self.shut:
            return
        self.pending = max(0, self.pending - 1)
        options = self.server.options
        if options.out_of_order:
            self.held.append(wire.frame(message))
            if self.order_timer is None:
                self.order_timer = self.loop.later(0.02, self._release_reversed)
            return
        if options.in_order and number is not None:
            self.waiting[number] = wire.frame(message)
            self._release_in_order()
            return
        self._queue(wire.frame(message))

    def _release_reversed(self):
        self.order_timer = None
        held, self.held = self.held, []
        for octets in reversed(held):
            self._queue(octets)

    def _release_in_order(self):
        while self.answered + 1 in self.waiting:
            self._queue(self.waiting.pop(self.answered + 1))

    def _queue(self, octets):
        if self.closed or self.finishing or self.shut:
            return
        self._emit(octets)
        self._count_answer()

    def _emit(self, octets):
        self.unsent += octets

    def _count_answer(self):
        """One more answer of this connection: it may be the last one that the options allow."""
        self.answered += 1
        options = self.server.options
        if options.rst_after and self.answered >= options.rst_after:
            self._write()
            self.close(reset=True)
        elif options.close_after and self.answered >= options.close_after:
            self.finish()
        elif options.half_close and self.answered >= options.half_close:
            self._write()
            self._shut()
        else:
            self._write()

    def _write(self):
        if self.closed:
            return
        if self.dead:
            self.unsent.clear()
            return
        if self.server.options.drip:
            self._start_drip(self.server.options.drip, self.server.options.drip_ms / 1000)
            return
        try:
            while self.unsent:
                sent = self.connection.send(self.unsent)
                del self.unsent[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        if self.finishing and not self.unsent:
            self.close()
        else:
            self._watch()

    def _start_drip(self, octets, pause):
        if self.timer is None and self.unsent:
            self.timer = self.loop.later(pause, self._drip, octets, pause)

    def _drip(self, octets, pause):
        self.timer = None
        if self.closed or self.dead:
            return
        try:
            sent = self.connection.send(self.unsent[:octets])
            del self.unsent[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        if self.unsent:
            self._start_drip(octets, pause)
        elif self.finishing:
            self.close()

    # MARK: demands of single queries

    def obey(self, demand, asked):
        """True when the demand of a query says that the connection ends, or breaks, in place of an answer."""
        if "close" in demand:
            self.finish()
        elif "rst" in demand:
            self.close(reset=True)
        elif "longlen" in demand:
            self._emit(struct.pack("!H", 60000) + b"x" * 10)
            self._write()
        else:
            if "zerolen" in demand:
                self._emit(b"\0\0")
            if "drip" in demand:
                self._drip_next(demand["drip"])
            return False
        return True

    def _drip_next(self, milliseconds):
        pause = (1 if milliseconds is True else milliseconds) / 1000
        if self.timer is None:
            self.timer = self.loop.later(pause, self._drip, 1, pause)
        self._write = lambda: self._start_drip(1, pause)

    def afterwards(self, demand):
        if "closeafter" in demand:
            self.finish()
        elif "rstafter" in demand:
            self._write()
            self.close(reset=True)

    # MARK: the end

    def finish(self):
        """Closes in order once everything is written."""
        if self.closed or self.finishing:
            return
        self._say_goodbye()
        self.finishing = True
        self._write()

    def _say_goodbye(self):
        """The last words of a connection, for TLS."""

    def _shut(self):
        """Half-close: no more answers, but the peer's queries are still read."""
        self.shut = True
        try:
            self.connection.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()

    def _restart_idle(self):
        seconds = self.server.options.close_idle
        if self.idle:
            self.loop.cancel(self.idle)
            self.idle = None
        if seconds:
            self.idle = self.loop.later(seconds, self.finish)

    def close(self, reset=False):
        if self.closed:
            return
        self.closed = True
        if self.idle:
            self.loop.cancel(self.idle)
        self.loop.forget(self.connection.fileno())
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.connection.close()
        self.owner.channels.discard(self)
        self.server.counters.closed()


TCPServer.channel = Channel
