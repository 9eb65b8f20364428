"""The UDP side of the lab upstream: one socket that answers, one that answers from the wrong port."""

import socket

import wire

BATCH = 64


class UDPServer:
    def __init__(self, loop, server, listener):
        self.server, self.loop = server, loop
        self.socket = listener
        self.elsewhere = None
        set_buffers(listener)
        listener.setblocking(False)
        loop.watch(listener.fileno(), self._readable)

    def close(self):
        self.loop.forget(self.socket.fileno())
        self.socket.close()
        if self.elsewhere:
            self.elsewhere.close()

    def _readable(self, *_):
        receive, take, sendto = self.socket.recvfrom, self.server.take, self._send
        for _ in range(BATCH):
            try:
                data, peer = receive(65535)
            except BlockingIOError:
                return
            except OSError:
                continue
            query = wire.parse_query(data, "udp", peer)
            if query is None:
                self.server.counters.malformed += 1
                continue
            take(query, lambda message, peer=peer: sendto(message, peer),
                 lambda message, peer=peer: self._send_elsewhere(message, peer))

    def _send(self, message, peer):
        try:
            self.socket.sendto(message, peer)
        except OSError:
            pass

    def _send_elsewhere(self, message, peer):
        if self.elsewhere is None:
            self.elsewhere = socket.socket(self.socket.family, socket.SOCK_DGRAM)
            self.elsewhere.bind((self.socket.getsockname()[0], 0))
        try:
            self.elsewhere.sendto(message, peer)
        except OSError:
            pass


def set_buffers(listener):
    """4 MiB each way where we may; a burst of thousands of queries must not be lost in our own kernel buffer."""
    for forced, normal in ((33, socket.SO_RCVBUF), (32, socket.SO_SNDBUF)):
        try:
            listener.setsockopt(socket.SOL_SOCKET, forced, 4 << 20)
        except PermissionError:
            listener.setsockopt(socket.SOL_SOCKET, normal, 4 << 20)
