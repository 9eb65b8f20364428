#!/usr/bin/python3
"""A scripted DNS server on loopback that misbehaves on demand: the upstream of Fleetwing's tests and of its demo.

    lab_upstream.py --port 5301 --delay 50        answers everything after 50 ms, over UDP and TCP
    lab_upstream.py --behaviours                  what query names may ask for

    lab_upstream.py --certificates DIR            also over DoT and DoH, with the files that certs.py made in DIR

The first line on standard output is a JSON object with the ports and the control port. It uses one thread and the
standard library; DoH needs python3-hpack. It ends with SIGTERM, SIGINT, the control command `quit` or, with
--until-eof, the end of its standard input.
"""

import argparse
import json
import random
import signal
import socket
import sys

import behaviours
from certs import Authority
from control import Control
from loop import Loop
from ports import FIRST_PORT, LAST_PORT
from server import Options, Server
from tcp_server import TCPServer
from udp_server import UDPServer


class LabUpstream:
    def __init__(self, arguments, options):
        random.seed(arguments.seed)
        self.address = arguments.address
        self.family = socket.AF_INET6 if ":" in arguments.address else socket.AF_INET
        self.loop = Loop()
        self.server = Server(self.loop, options, arguments.seed)
        self.udp = None
        self.streams = []
        self.contexts = None
        self.ports = {"port": arguments.port, "tls_port": arguments.tls_port, "https_port": arguments.https_port}
        if arguments.certificates:
            from tls_server import Contexts
            self.contexts = Contexts(Authority(arguments.certificates))
        self.start()
        self.control = Control(self.loop, self, self.address)

    def _bind(self, port, datagrams):
        """A listener and, with `datagrams`, a UDP socket of the same port."""
        udp = socket.socket(self.family, socket.SOCK_DGRAM) if datagrams else None
        tcp = socket.socket(self.family, socket.SOCK_STREAM)
        try:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if udp:
                udp.bind((self.address, port))
            tcp.bind((self.address, port))
            tcp.listen(1024)
        except OSError:
            if udp:
                udp.close()
            tcp.close()
            raise
        return udp, tcp

    def _bind_named(self, name, datagrams=False):
        """Binds the port of that name; the first time, if none was asked for, any free one."""
        if self.ports[name]:
            return self._bind(self.ports[name], datagrams)
        picker = random.SystemRandom()
        for _ in range(200):
            port = picker.randint(FIRST_PORT, LAST_PORT)
            try:
                sockets = self._bind(port, datagrams)
            except OSError:
                continue
            self.ports[name] = port
            return sockets
        raise OSError("no free port")

    def start(self):
        if self.udp:
            return
        udp, tcp = self._bind_named("port", datagrams=True)
        self.udp = UDPServer(self.loop, self.server, udp)
        if self.server.options.refuse_tcp:
            tcp.close()
        else:
            self.streams.append(TCPServer(self.loop, self.server, tcp))
        if self.contexts:
            self._start_encrypted()

    def _start_encrypted(self):
        from https_server import HTTPSServer
        from tls_server import TLSServer
        for name, kind in (("tls_port", TLSServer), ("https_port", HTTPSServer)):
            _, listener = self._bind_named(name)
            if self.server.options.refuse_tcp:
                listener.close()
            else:
                self.streams.append(kind(self.loop, self.server, listener, self.contexts))

    def stop(self, reset=True):
        """As a program that ended: ICMP and refusals from here on. It ends a black hole too."""
        self.server.hole = False
        if self.udp:
            self.udp.close()
        for server in self.streams:
            server.close(reset)
        self.udp, self.streams = None, []

    def restart(self):
        """Connections are reset, and the port listens again before anybody could be refused."""
        self.stop()
        self.start()

    def black_hole(self, deaf):
        """As a path that drops everything. `deaf`: streams cannot even be opened; else they open and say nothing."""
        self.server.hole = True
        for server in self.streams:
            server.fall_silent(deaf)

    def come_back(self):
        self.server.hole = False
        for server in self.streams:
            server.come_back()

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
        print(json.dumps({"address": self.address, "control": self.control.port, **self.ports}), flush=True)
        self.loop.run()
        self.stop()


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 = any free one")
    parser.add_argument("--certificates", metavar="DIR", help="what certs.py made; turns DoT and DoH on")
    parser.add_argument("--tls-port", type=int, default=0)
    parser.add_argument("--https-port", type=int, default=0)
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
