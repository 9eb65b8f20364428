"""Load at a fixed rate, query by query on record: what clients see while an upstream fails and recovers.

Used by the black-box tests of resilience and by scripts/resilience. Names are all different; each query leaves when the
clock says so, whatever became of those before it. `events` are calls at given seconds of the run, made between queries.

    record = SteadyLoad(port, rate=200, events=[(2, lab.black_hole)]).run(8)
    record.between(3, 8).percentile(99)
"""

import ipaddress
import selectors
import socket
import struct
import time

import wire

PATIENCE = 5.0
HEADER = struct.Struct("!HH")


class Sent:
    """One query of the load: times in seconds since the load began, `latency` None while there is no answer."""

    __slots__ = ("name", "wire", "due", "sent", "latency", "rcode", "right", "sends", "socket", "ident")

    def __init__(self, name, due):
        self.name, self.wire, self.due = name, wire.encode_name(name), due
        self.sent, self.latency, self.rcode, self.right, self.sends = 0.0, None, None, False, 0
        self.socket, self.ident = None, 0

    @property
    def answered(self):
        """When its right answer came, or None."""
        return self.sent + self.latency if self.right else None

    @property
    def patience(self):
        """Seconds that its client waited, as percentiles count them: a failure counts as a whole patience."""
        return self.latency if self.right else PATIENCE


class Record:
    """Queries and what became of them."""

    def __init__(self, queries, events=()):
        self.queries, self.events = queries, dict(events)

    def between(self, begin, end=float("inf")):
        """Those sent at these seconds of the run."""
        return Record([q for q in self.queries if begin <= q.sent < end], self.events)

    def only(self, condition):
        return Record([q for q in self.queries if condition(q.name)], self.events)

    @property
    def failed(self):
        """No answer within the patience of a client, or one that is not right."""
        return [q for q in self.queries if not q.right]

    def percentile(self, percent):
        """Seconds until the right answer; what failed counts as PATIENCE."""
        times = sorted(q.patience for q in self.queries)
        return times[min(len(times) - 1, int(len(times) * percent / 100))] if times else float("nan")

    def median(self):
        return self.percentile(50)

    def first_right(self, since):
        """Seconds from `since` to the first right answer that came for a query sent after it; None when none did."""
        came = [q.answered for q in self.queries if q.sent >= since and q.right]
        return min(came) - since if came else None

    def longest_gap(self, begin, end):
        """The longest time between begin and end without a right answer, whenever its query was sent."""
        came = sorted(q.answered for q in self.queries if q.right and begin <= q.answered <= end)
        edges = [begin, *came, end]
        return max(after - before for before, after in zip(edges, edges[1:]))

    def summary(self):
        rcodes = {}
        for query in self.queries:
            rcodes[query.rcode] = rcodes.get(query.rcode, 0) + 1
        return (f"{len(self.queries)} queries, {len(self.failed)} failed, rcodes {rcodes}, median "
                f"{1000 * self.median():.1f} ms, p99 {1000 * self.percentile(99):.1f} ms")


class SteadyLoad:
    """`rate` queries a second to a forwarder. `name(number)` gives the names, all different, of the lab's zone; with
    `retry` a client sends again after 5 s and waits 5 s more, as stub resolvers do."""

    def __init__(self, port, rate=200, sockets=50, transport="udp", retry=False, name=None, events=(),
                 address="127.0.0.1"):
        self.port, self.address, self.rate, self.transport, self.retry = port, address, rate, transport, retry
        mark = f"{time.monotonic_ns():x}"
        self.name = name or (lambda number: f"s{number}-{mark}.lab.example")
        self.events = sorted(events, key=lambda event: event[0])
        self.selector, self.open, self.happened = selectors.DefaultSelector(), {}, []
        self.resends, self.waiting = [], 0
        self.clients = [None] * sockets
        self.begin = 0.0

    # MARK: sockets

    def _client(self, place):
        """The socket of a place; TCP connections that were closed are opened again."""
        if self.clients[place] is None:
            family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
            kind = socket.SOCK_STREAM if self.transport == "tcp" else socket.SOCK_DGRAM
            client = socket.socket(family, kind)
            client.settimeout(1)
            client.connect((self.address, self.port))
            client.setblocking(False)
            if kind == socket.SOCK_STREAM:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.selector.register(client, selectors.EVENT_READ, (place, bytearray()))
            self.clients[place] = client
        return self.clients[place]

    def _drop(self, place):
        client, self.clients[place] = self.clients[place], None
        self.selector.unregister(client)
        client.close()

    # MARK: sending

    def _send(self, query, number):
        place = number % len(self.clients)
        query.sends += 1
        if query.sends == 1:
            query.ident = number // len(self.clients) & 0xFFFF
            query.sent = self._now()
            query.socket = place
            self.open[place, query.ident] = query
            self.waiting += 1
        message = wire.make_query(query.wire, wire.A, ident=query.ident, edns=1232)
        try:
            self._client(place).send(wire.frame(message) if self.transport == "tcp" else message)
        except OSError:
            if self.transport == "tcp" and self.clients[place] is not None:
                self._drop(place)
        if self.retry and query.sends == 1:
            self.resends.append((query.sent + PATIENCE, query, number))

    def _resend(self, now):
        while self.resends and self.resends[0][0] <= now:
            _, query, number = self.resends.pop(0)
            if query.latency is None:
                self._send(query, number)

    # MARK: receiving

    def _receive(self, seconds):
        for key, _ in self.selector.select(max(seconds, 0)):
            place, buffer = key.data
            try:
                while True:
                    piece = key.fileobj.recv(65535)
                    if self.transport != "tcp":
                        self._judge(place, piece)
                        continue
                    if not piece:
                        raise ConnectionResetError
                    buffer += piece
                    self._cut(place, buffer)
            except BlockingIOError:
                continue
            except OSError:
                if self.transport == "tcp":
                    self._drop(place)

    def _cut(self, place, buffer):
        while len(buffer) >= 2 and len(buffer) >= 2 + (size := buffer[0] << 8 | buffer[1]):
            self._judge(place, bytes(buffer[2:2 + size]))
            del buffer[:2 + size]

    def _judge(self, place, answer):
        if len(answer) < 12:
            return
        ident, flags = HEADER.unpack_from(answer)
        query = self.open.get((place, ident))
        if query is None or answer[12:12 + len(query.wire)].lower() != query.wire:
            return
        del self.open[place, ident]
        self.waiting -= 1
        query.latency, query.rcode = self._now() - query.sent, flags & 15
        patience = PATIENCE * (2 if self.retry else 1)
        address = ipaddress.IPv4Address(wire.address4(query.wire)).packed
        query.right = query.rcode == 0 and query.latency <= patience and address in answer

    # MARK: the run

    def _now(self):
        return time.monotonic() - self.begin

    def run(self, seconds):
        """Sends for so long, then waits for what is open as long as a client would. Returns the Record."""
        for place in range(len(self.clients)):
            self._client(place)
        queries, total = [], int(seconds * self.rate)
        self.begin = time.monotonic()
        try:
            while len(queries) < total or self.waiting:
                now = self._now()
                while self.events and self.events[0][0] <= now:
                    self._happen(self.events.pop(0))
                while len(queries) < total and len(queries) / self.rate <= now:
                    query = Sent(self.name(len(queries)), len(queries) / self.rate)
                    queries.append(query)
                    self._send(query, len(queries) - 1)
                self._resend(now)
                if len(queries) == total and now > queries[-1].sent + PATIENCE * (2 if self.retry else 1):
                    break
                self._receive(self._pause(len(queries), total))
        finally:
            for place, client in enumerate(self.clients):
                if client is not None:
                    self._drop(place)
            self.selector.close()
        return Record(queries, self.happened)

    def _happen(self, event):
        """Calls it and notes when it was done: what it changes at a lab is so from then on."""
        seconds, call = event
        call()
        self.happened.append((seconds, self._now()))

    def _pause(self, count, total):
        """Until the next query or event is due, a tenth of a second at most."""
        due = [0.1]
        if count < total:
            due.append(count / self.rate - self._now())
        if self.events:
            due.append(self.events[0][0] - self._now())
        return max(min(due), 0)
