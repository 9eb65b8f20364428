"""The lab upstream as tests use it: a subprocess with a control channel.

    with Lab(delay=50) as lab:
        ... lab.port ... lab.counters()["max_in_flight"] ... lab.set(silent=True)

With encrypted=True it also speaks DoT (`tls_port`, `tls_url`) and DoH (`https_port`, `https_url`), with certificates of
certs.shared().
"""

import json
import pathlib
import socket
import subprocess
import sys

import certs

PROGRAM = pathlib.Path(__file__).with_name("lab_upstream.py")


class Lab:
    def __init__(self, address="127.0.0.1", port=0, seed=1, encrypted=False, **options):
        self.address, self.options = address, options
        command = [sys.executable, str(PROGRAM), "--address", address, "--port", str(port), "--seed", str(seed),
                   "--until-eof"]
        if encrypted:
            command += ["--certificates", str(certs.shared().directory)]
        if options.pop("refuse_tcp", False):
            command.append("--refuse-tcp")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the lab upstream did not start")
        hello = json.loads(line)
        self.port, self.tls_port, self.https_port = hello["port"], hello["tls_port"], hello["https_port"]
        self.channel = socket.create_connection((address, hello["control"]), timeout=10)
        self.lines = self.channel.makefile("r")
        if options:
            self.set(**options)

    @property
    def url(self):
        """The upstream URL for UDP (with TCP where TC asks for it)."""
        return f"udp://{self._host()}:{self.port}"

    @property
    def tcp_url(self):
        return f"tcp://{self._host()}:{self.port}"

    @property
    def tls_url(self):
        return f"tls://{certs.NAME}@{self._host()}:{self.tls_port}"

    @property
    def https_url(self):
        return f"https://{certs.NAME}@{self._host()}:{self.https_port}/dns-query"

    def url_for(self, transport):
        """The URL for udp, tcp, tls or https."""
        return {"udp": self.url, "tcp": self.tcp_url, "tls": self.tls_url, "https": self.https_url}[transport]

    def _host(self):
        return f"[{self.address}]" if ":" in self.address else self.address

    def command(self, command, **parameters):
        self.channel.sendall(json.dumps({"command": command, **parameters}).encode() + b"\n")
        answer = json.loads(self.lines.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def counters(self):
        return self.command("counters")

    def reset(self):
        self.command("reset")

    def set(self, **options):
        self.command("set", options=options)

    def asked(self, name, qtype=1):
        """How often a question arrived."""
        return self.command("asked", name=name, type=qtype)["asked"]

    def stop_listening(self, reset=True):
        self.command("stop", reset=reset)

    def restart(self):
        self.command("restart")

    def black_hole(self, deaf=False):
        """Silence on all transports; with `deaf` streams are not even accepted."""
        self.command("black_hole", deaf=deaf)

    def come_back(self):
        self.command("come_back")

    def start_listening(self):
        self.command("start")

    def drop_connections(self, reset=False):
        self.command("drop_connections", reset=reset)

    def forget_tickets(self):
        """The tickets given so far are worth nothing any more."""
        self.command("forget_tickets")

    def close(self):
        self.channel.close()
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
