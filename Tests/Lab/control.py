"""The control channel of the lab upstream: one JSON object in a line in, one JSON object in a line out, over TCP.

Commands: counters, reset, set (with "options"), options, asked (with "name" and "type"), stop, start, restart,
black_hole, come_back, drop_connections, forget_tickets, quit. `stop` closes all DNS sockets, so that UDP gets ICMP and
TCP a refusal (connections end by reset, or in order with "reset": false); `start` binds the same ports again; `restart`
is both at once. `black_hole` is silence on all transports: streams are accepted and say nothing or, with "deaf", are
not accepted either; after `come_back` new connections are served, while those of before stay silent.
"""

import json
import socket

import wire


class Control:
    def __init__(self, loop, lab, address):
        self.loop, self.lab = loop, lab
        self.listener = socket.create_server((address, 0), family=lab.family, backlog=16)
        self.listener.setblocking(False)
        loop.watch(self.listener.fileno(), self._acceptable)

    @property
    def port(self):
        return self.listener.getsockname()[1]

    def _acceptable(self, *_):
        try:
            connection, _ = self.listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        received = bytearray()
        self.loop.watch(connection.fileno(), lambda *_: self._readable(connection, received))

    def _readable(self, connection, received):
        try:
            data = connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.loop.forget(connection.fileno())
            connection.close()
            return
        received += data
        while b"\n" in received:
            line, _, rest = bytes(received).partition(b"\n")
            received[:] = rest
            answer = json.dumps(self._answer(line)).encode() + b"\n"
            connection.setblocking(True)
            connection.sendall(answer)
            connection.setblocking(False)

    def _answer(self, line):
        try:
            command = json.loads(line)
            verb = command.get("command")
            if verb not in COMMANDS:
                return {"error": f"unknown command {verb!r}"}
            return COMMANDS[verb](self.lab, command) or {"ok": True}
        except (ValueError, KeyError, AttributeError, OSError) as error:
            return {"error": str(error)}


def _asked(lab, command):
    key = (wire.encode_name(command["name"].lower()), command.get("type", wire.A))
    return {"asked": lab.server.counters.asked.get(key, 0)}


def _drop_connections(lab, command):
    for server in lab.streams:
        for channel in list(server.channels):
            channel.close(command.get("reset", False))


COMMANDS = {
    "counters": lambda lab, command: lab.server.counters.report(),
    "reset": lambda lab, command: lab.server.counters.reset(),
    "set": lambda lab, command: lab.set(command["options"]),
    "options": lambda lab, command: lab.server.options.report(),
    "asked": _asked,
    "stop": lambda lab, command: lab.stop(command.get("reset", True)),
    "restart": lambda lab, command: lab.restart(),
    "black_hole": lambda lab, command: lab.black_hole(command.get("deaf", False)),
    "come_back": lambda lab, command: lab.come_back(),
    "start": lambda lab, command: lab.start(),
    "drop_connections": _drop_connections,
    "forget_tickets": lambda lab, command: lab.contexts.forget_tickets(),
    "quit": lambda lab, command: lab.quit(),
}
