"""Clients of the black-box tests: raw UDP and TCP sockets, with dnspython to read what came back."""

import socket
import struct
import time

import dns.message

import wire


def read(message):
    """The response, parsed strictly: dnspython refuses trailing octets, bad counts and bad names."""
    return dns.message.from_wire(message)


class UDPClient:
    """One connected UDP socket: the kernel gives it only what comes from the asked address and port."""

    def __init__(self, port, address="127.0.0.1", source=None):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect((address, port))
        self.next = 0

    def send(self, message):
        self.socket.send(message)

    def receive(self, seconds=6):
        """The next datagram, or None."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(65535)
        except TimeoutError:
            return None

    def exchange(self, message, seconds=6):
        """Sends a message and returns the datagram with its id, or None."""
        self.send(message)
        limit = time.monotonic() + seconds
        while (left := limit - time.monotonic()) > 0:
            answer = self.receive(left)
            if answer is None or answer[:2] == message[:2]:
                return answer
        return None

    def ask(self, name, qtype=wire.A, seconds=6, **keywords):
        """The parsed response to a query by name; None when there was none."""
        self.next = self.next % 65535 + 1
        answer = self.exchange(wire.make_query(name, qtype, ident=self.next, **keywords), seconds)
        return read(answer) if answer is not None else None

    def drain(self, seconds=0.05):
        found = []
        while (answer := self.receive(seconds)) is not None:
            found.append(answer)
        return found

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class TCPClient:
    def __init__(self, port, address="127.0.0.1", receive_buffer=None, source=None):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(6)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect((address, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""

    def send(self, octets):
        self.socket.sendall(octets)

    def send_query(self, *arguments, **keywords):
        self.send(wire.frame(wire.make_query(*arguments, **keywords)))

    def receive(self, seconds=6):
        """The next message without its length; None at the end of the stream; TimeoutError when nothing came."""
        limit = time.monotonic() + seconds
        while True:
            if len(self.received) >= 2:
                size = struct.unpack("!H", self.received[:2])[0]
                if len(self.received) >= 2 + size:
                    message = self.received[2:2 + size]
                    self.received = self.received[2 + size:]
                    return message
            self.socket.settimeout(max(limit - time.monotonic(), 0.001))
            try:
                data = self.socket.recv(65535)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.received += data

    def ask(self, name, qtype=wire.A, ident=1, seconds=6, **keywords):
        self.send_query(name, qtype, ident=ident, **keywords)
        answer = self.receive(seconds)
        return read(answer) if answer is not None else None

    def closed_within(self, seconds):
        """Whether the daemon closes the connection; what comes before is thrown away."""
        limit = time.monotonic() + seconds
        try:
            while (left := limit - time.monotonic()) > 0:
                self.socket.settimeout(left)
                if not self.socket.recv(65535):
                    return True
        except TimeoutError:
            return False
        except OSError:
            return True
        return False

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def addresses(response):
    """All addresses in the answer section, sorted."""
    return sorted(r.address for rrset in response.answer for r in rrset if hasattr(r, "address"))


def texts(response):
    return [b"".join(r.strings).decode() for rrset in response.answer for r in rrset if hasattr(r, "strings")]


def extended_errors(response):
    """The codes of RFC 8914 in a response."""
    return [struct.unpack("!H", bytes(wire_option(o))[:2])[0] for o in response.options if int(o.otype) == 15]


def wire_option(option):
    return option.to_wire()
