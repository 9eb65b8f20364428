"""The DoT side of the lab upstream: the TCP side under TLS, through memory BIOs so that nothing blocks (RFC 7858).

A TLSChannel keeps cipher text in `unsent` and clear text in `received`: what the TCP channel does to octets (dripping,
cutting, resetting) happens to the records. DoH (https_server.py) stands on this one.
"""

import hashlib
import ssl

import client_hello
from tcp_server import Channel, TCPServer

HANDSHAKE_FAILURE = bytes([21, 3, 3, 0, 2, 2, 40])
CLEAR_TEXT = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
TICKET_LIMIT = 100000


class Contexts:
    """One context for each set of options that shape a handshake: tickets of one are worth nothing to another."""

    def __init__(self, authority):
        self.authority, self.made = authority, {}

    def find(self, options, protocol):
        protocols = () if options.no_alpn else ((options.alpn or protocol),)
        key = (options.certificate, options.tls, options.tickets, protocols)
        if key not in self.made:
            self.made[key] = self._make(*key)
        return self.made[key]

    def _make(self, certificate, version, tickets, protocols):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.authority.path(certificate))
        context.num_tickets = tickets
        if not tickets:
            context.options |= ssl.OP_NO_TICKET
        if version == "1.2":
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        elif version == "1.3":
            context.minimum_version = ssl.TLSVersion.TLSv1_3
        if protocols:
            context.set_alpn_protocols(protocols)
        return context

    def forget_tickets(self):
        self.made.clear()


class TLSChannel(Channel):
    transport, protocol = "tls", "dot"

    def __init__(self, owner, connection, peer):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = owner.contexts.find(owner.server.options, self.protocol)
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.hello, self.established, self.starting = bytearray(), False, None
        super().__init__(owner, connection, peer)

    # MARK: the handshake

    def _take_octets(self, data):
        if self.hello is not None:
            self.hello += data
            if not client_hello.complete(self.hello):
                return
            data, self.hello = bytes(self.hello), None
            self._note_hello(client_hello.parse(data))
            if self._refuse_handshake():
                return
            if self.server.options.handshake_delay:
                self.incoming.write(data)
                self.starting = self.loop.later(self.server.options.handshake_delay / 1000, self._advance)
                return
        self.incoming.write(data)
        if self.starting is None or self.established:
            self._advance()

    def _note_hello(self, hello):
        counters = self.server.counters
        if hello is None:
            counters.malformed += 1
            return
        for table, key in ((counters.server_names, hello.server_name), (counters.alpn, ",".join(hello.protocols))):
            table[key] = table.get(key, 0) + 1
        counters.tickets_offered += bool(hello.tickets)
        for ticket in hello.tickets:
            mark = hashlib.sha256(ticket).digest()[:12]
            counters.tickets_reused += mark in counters.tickets_seen
            if len(counters.tickets_seen) < TICKET_LIMIT:
                counters.tickets_seen.add(mark)

    def _refuse_handshake(self):
        """True when the handshake does not go on, by the option `handshake`."""
        way = self.server.options.handshake
        if way == "stall":
            return True
        if way == "reset":
            self.close(reset=True)
        elif way == "close":
            self.close()
        elif way in ("alert", "plain"):
            self.unsent += HANDSHAKE_FAILURE if way == "alert" else CLEAR_TEXT
            self.finishing = True
            self._write()
        return self.closed or self.finishing

    def _advance(self):
        """As much of the handshake, then of the records, as the octets allow."""
        self.starting = None
        if self.closed:
            return
        if not self.established and not self._shake_hands():
            return
        self._read_records()

    def _shake_hands(self):
        counters = self.server.counters
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        except ssl.SSLError as error:
            reason = error.reason or "unknown"
            counters.handshake_failures[reason] = counters.handshake_failures.get(reason, 0) + 1
            self._flush()
            self.close()
            return False
        self.established = True
        counters.handshakes += 1
        counters.resumed += self.tls.session_reused
        version = self.tls.version()
        counters.tls_versions[version] = counters.tls_versions.get(version, 0) + 1
        self._flush()
        self._begin()
        return not self.closed

    def _begin(self):
        """The first words of the server, for DoH."""

    # MARK: records

    def _read_records(self):
        counters = self.server.counters
        while not self.closed:
            try:
                piece = self.tls.read(65536)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                piece = b""
            except ssl.SSLError as error:
                reason = error.reason or "unknown"
                counters.alerts[reason] = counters.alerts.get(reason, 0) + 1
                self.close()
                return
            if not piece:
                counters.close_notifies += 1
                counters.connections_closed_by_peer += 1
                self.finish()
                self.close()
                return
            # One read never gives more than one record, so this counts records (RFC 8446 section 5.1).
            before = counters.frames
            counters.records += 1
            self.received += piece
            self._take_frames()
            counters.frames_per_record_peak = max(counters.frames_per_record_peak, counters.frames - before)
        if not self.closed:
            self._flush()

    def _emit(self, octets):
        size = self.server.options.record_size or len(octets)
        try:
            for at in range(0, len(octets), max(size, 1)):
                self.tls.write(octets[at:at + size])
        except ssl.SSLError:
            self.close()
            return
        self.unsent += self.outgoing.read()

    def _flush(self):
        self.unsent += self.outgoing.read()
        if self.unsent and not self.closed:
            self._write()

    def _say_goodbye(self):
        """close_notify, unless the server is one of those that just go away."""
        if not self.established or self.server.options.no_notice:
            return
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            pass
        self.unsent += self.outgoing.read()


class TLSServer(TCPServer):
    channel = TLSChannel

    def __init__(self, loop, server, listener, contexts):
        self.contexts = contexts
        super().__init__(loop, server, listener)
