"""Small blocking DoT and DoH clients for the tests of the lab itself. They trust the throw-away authority only."""

import socket
import ssl
import struct

import hpack

import certs
import http2
import wire


def client_context(protocol, verify=True, version=None):
    context = ssl.create_default_context(cafile=certs.shared().ca)
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if version:
        context.maximum_version = version
    if protocol:
        context.set_alpn_protocols([protocol])
    return context


class DoTClient:
    """TLS through memory BIOs: only so can a reset be told from an end without close_notify."""

    protocol = "dot"

    def __init__(self, lab, port=None, context=None, session=None, wait=1.0):
        self.socket = socket.create_connection((lab.address, port or self.port_of(lab)), timeout=wait)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = context or client_context(self.protocol)
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=certs.NAME, session=session)
        self.received, self.end = bytearray(), None
        try:
            self._shake_hands()
        except BaseException:
            self.socket.close()
            raise

    def _shake_hands(self):
        while True:
            try:
                self.tls.do_handshake()
                return
            except ssl.SSLWantReadError:
                pass
            finally:
                if self.outgoing.pending:
                    self.socket.sendall(self.outgoing.read())
            if data := self.socket.recv(65536):
                self.incoming.write(data)
            else:
                self.incoming.write_eof()

    @staticmethod
    def port_of(lab):
        return lab.tls_port

    def send(self, octets):
        self.tls.write(octets)
        self.socket.sendall(self.outgoing.read())

    def fill(self):
        """Reads once; False at the end, whose kind is then in `end`: fin, cut (no close_notify), rst or silent."""
        while self.end is None:
            try:
                data = self.tls.read(65536)
                self.received += data
                self.end = None if data else "fin"
                break
            except ssl.SSLWantReadError:
                self._receive()
            except ssl.SSLZeroReturnError:
                self.end = "fin"
            except ssl.SSLError:
                self.end = "cut"
        return self.end is None

    def _receive(self):
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            self.end = "silent"
        except ConnectionResetError:
            self.end = "rst"
        else:
            self.incoming.write(data) if data else self.incoming.write_eof()

    def say_goodbye(self):
        """close_notify, and whether the server's came back."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self.socket.sendall(self.outgoing.read())
        self.fill()
        return self.end == "fin"

    def exchange(self, messages):
        """Sends all messages in one record; the answers that came before the connection ended or fell silent."""
        self.send(b"".join(wire.frame(message) for message in messages))
        found = []
        while len(found) < len(messages):
            while len(self.received) >= 2 and len(self.received) >= 2 + struct.unpack_from("!H", self.received)[0]:
                size = struct.unpack_from("!H", self.received)[0]
                found.append(bytes(self.received[2:2 + size]))
                del self.received[:2 + size]
            if len(found) < len(messages) and not self.fill():
                break
        return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


class Response:
    def __init__(self):
        self.fields, self.body, self.ended, self.reset, self.updates = [], bytearray(), False, None, 0

    @property
    def status(self):
        return int(dict(self.fields)[":status"])

    def field(self, name):
        return dict(self.fields).get(name)


class DoHClient(DoTClient):
    protocol = "h2"

    def __init__(self, lab, window=http2.FIRST_WINDOW, **keywords):
        super().__init__(lab, **keywords)
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.stream, self.responses, self.goaway, self.settings = -1, {}, None, {}
        self.send(http2.PREFACE + http2.settings(window=window))

    @staticmethod
    def port_of(lab):
        return lab.https_port

    def request(self, message, method="POST", path="/dns-query", extra=()):
        """The octets of one request on the next stream."""
        self.stream += 2
        self.responses[self.stream] = Response()
        fields = [(":method", method), (":scheme", "https"), (":authority", certs.NAME), (":path", path)]
        if method == "POST":
            fields.append(("content-type", "application/dns-message"))
        block = self.encoder.encode(fields + list(extra))
        ends = http2.END_STREAM if method == "GET" else 0
        octets = http2.frame(http2.HEADERS, http2.END_HEADERS | ends, self.stream, block)
        return octets if ends else octets + http2.frame(http2.DATA, http2.END_STREAM, self.stream, message)

    def ask(self, *names, until=None, **keywords):
        """Asks all names in one write; the responses in the order of the names once all have ended."""
        first = self.stream + 2
        self.send(b"".join(self.request(wire.make_query(name), **keywords) for name in names))
        asked = [self.responses[first + 2 * i] for i in range(len(names))]
        self.read_until(until or (lambda: all(r.ended or r.reset is not None for r in asked)))
        return asked

    def read_until(self, done):
        while not done() and self.fill():
            while found := http2.next_frame(self.received):
                self._take(*found)

    def _take(self, kind, flags, stream, payload):
        response = self.responses.get(stream, Response())
        if kind == http2.HEADERS:
            response.fields = self.decoder.decode(http2.unpadded(flags, payload))
        elif kind == http2.DATA:
            response.body += payload
        elif kind == http2.RST_STREAM:
            response.reset = int.from_bytes(payload, "big")
        elif kind == http2.GOAWAY:
            self.goaway = struct.unpack("!II", payload[:8])
        elif kind == http2.SETTINGS and not flags & http2.ACK:
            self.settings = http2.parse_settings(payload)
        elif kind == http2.WINDOW_UPDATE:
            response.updates += int.from_bytes(payload, "big")
        if kind in (http2.HEADERS, http2.DATA) and flags & http2.END_STREAM:
            response.ended = True
