"""Reads the ClientHello of a TLS connection before OpenSSL does: what Python's ssl module does not tell a server.

Called by tls_server.py with the first octets of a connection. It returns None for what it cannot read and never
raises. RFC 8446 section 4.1.2, RFC 6066 section 3 (server_name), RFC 7301 (ALPN), RFC 5077 and 8446 4.2.11 (tickets).
"""

import struct

SERVER_NAME, ALPN, SESSION_TICKET, PRE_SHARED_KEY = 0, 16, 35, 41


class ClientHello:
    """`tickets` are the identities of pre_shared_key and a non-empty session_ticket, as the client sent them."""

    def __init__(self):
        self.server_name = ""
        self.protocols = []
        self.tickets = []


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if self.at + count > len(self.data):
            raise ValueError("cut off")
        piece = self.data[self.at:self.at + count]
        self.at += count
        return piece

    def vector(self, width):
        """A piece with its length before it, in `width` octets."""
        return self.take(int.from_bytes(self.take(width), "big"))

    @property
    def more(self):
        return self.at < len(self.data)


def complete(data):
    """Whether the first record is there whole, or is no handshake record at all."""
    return len(data) >= 5 and (data[0] != 22 or len(data) >= 5 + struct.unpack_from("!H", data, 3)[0])


def parse(data):
    try:
        return _parse(bytes(data))
    except (ValueError, IndexError, UnicodeDecodeError):
        return None


def _parse(data):
    record = Reader(data)
    if record.take(1) != b"\x16":
        return None
    record.take(2)
    message = Reader(record.vector(2))
    if message.take(1) != b"\x01":
        return None
    hello = Reader(message.vector(3))
    hello.take(34)
    hello.vector(1)
    hello.vector(2)
    hello.vector(1)
    found = ClientHello()
    extensions = Reader(hello.vector(2) if hello.more else b"")
    while extensions.more:
        kind = int.from_bytes(extensions.take(2), "big")
        _read_extension(found, kind, Reader(extensions.vector(2)))
    return found


def _read_extension(found, kind, body):
    if kind == SERVER_NAME:
        names = Reader(body.vector(2))
        names.take(1)
        found.server_name = names.vector(2).decode()
    elif kind == ALPN:
        names = Reader(body.vector(2))
        while names.more:
            found.protocols.append(names.vector(1).decode())
    elif kind == SESSION_TICKET and body.more:
        found.tickets.append(body.data)
    elif kind == PRE_SHARED_KEY:
        identities = Reader(body.vector(2))
        while identities.more:
            found.tickets.append(identities.vector(2))
            identities.take(4)
