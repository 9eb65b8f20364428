#!/usr/bin/python3
"""A scripted DNS server on loopback that misbehaves on demand: the upstream of Fleetwing's tests and of its demo.

    lab_upstream.py --port 5301 --delay 50        answers everything after 50 ms, over UDP and TCP
    lab_upstream.py --behaviours                  what query names may ask for

The first line on standard output is a JSON object with the port and the control port. It uses the standard library
only, and one thread. It ends with SIGTERM, SIGINT, the control command `quit` or, with --until-eof, the end of its
standard input.
"""

import argparse
import json
import random
import signal
import socket
import sys

import behaviours
from control import Control
from loop import Loop
from server import Options, Server
from tcp_server import TCPServer
from udp_server import UDPServer

FIRST_PORT, LAST_PORT = 21000, 22999


class LabUpstream:
    def __init__(self, arguments, options):
        random.seed(arguments.seed)
        self.address, self.port = arguments.address, arguments.port
        self.family = socket.AF_INET6 if ":" in arguments.address else socket.AF_INET
        self.loop = Loop()
        self.server = Server(self.loop, options)
        self.udp = self.tcp = None
        self.start()
        self.control = Control(self.loop, self, self.address)

    def _bind(self, port):
        udp = socket.socket(self.family, socket.SOCK_DGRAM)
        tcp = socket.socket(self.family, socket.SOCK_STREAM)
        try:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            udp.bind((self.address, port))
            tcp.bind((self.address, port))
            tcp.listen(1024)
        except OSError:
            udp.close()
            tcp.close()
            raise
        return udp, tcp

    def _bind_any(self):
        picker = random.SystemRandom()
        for _ in range(200):
            port = picker.randint(FIRST_PORT, LAST_PORT)
            try:
                sockets = self._bind(port)
            except OSError:
                continue
            self.port = port
            return sockets
        raise OSError("no free port")

    def start(self):
        if self.udp:
            return
        udp, tcp = self._bind(self.port) if self.port else self._bind_any()
        self.udp = UDPServer(self.loop, self.server, udp)
        if self.server.options.refuse_tcp:
            tcp.close()
        else:
            self.tcp = TCPServer(self.loop, self.server, tcp)

    def stop(self):
        if self.udp:
            self.udp.close()
        if self.tcp:
            self.tcp.close()
        self.udp = self.tcp = None

    def set(self, changes):
        before = self.server.options.refuse_tcp
        self.server.options.set(changes)
        if self.server.options.refuse_tcp != before and self.udp:
            self.stop()
            self.start()

    def quit(self):
        self.loop.running = False

    def run(self, until_eof):
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.quit())
        wake, waker = socket.socketpair()
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.fileno())
        self.loop.watch(wake.fileno(), lambda *_: wake.recv(100))
        if until_eof:
            self.loop.watch(sys.stdin.fileno(), lambda *_: sys.stdin.buffer.raw.read(4096) or self.quit())
        print(json.dumps({"address": self.address, "port": self.port, "control": self.control.port}), flush=True)
        self.loop.run()
        self.stop()


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 = any free one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--until-eof", action="store_true", help="end with the standard input")
    parser.add_argument("--behaviours", action="store_true", help="print what query names may ask for")
    parser.add_argument("--drip", metavar="OCTETS/MS", help="let TCP answers out slowly")
    for name, default in Options.DEFAULTS.items():
        if name in ("drip", "drip_ms"):
            continue
        flag = "--" + name.replace("_", "-")
        if isinstance(default, bool):
            parser.add_argument(flag, action="store_true", default=default)
        else:
            parser.add_argument(flag, type=type(default), default=default)
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    if arguments.behaviours:
        print(behaviours.describe())
        return
    options = Options(**{name: getattr(arguments, name) for name in Options.DEFAULTS if name[:4] != "drip"})
    if arguments.drip:
        octets, _, pause = arguments.drip.partition("/")
        options.set({"drip": int(octets), "drip_ms": int(pause or 1)})
    LabUpstream(arguments, options).run(arguments.until_eof)


if __name__ == "__main__":
    main()
