"""Fleetwing as the black-box tests use it: a configuration written, the daemon started, its log and statistics read.

Every test talks to the real executable over loopback. `Daemon` is the process, `write_toml` the configuration; a test
takes them from the fixtures of conftest.py, which end every process that they started, by its id.
"""

import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import time

from ports import FIRST_PORT, LAST_PORT

ROOT = pathlib.Path(__file__).resolve().parents[2]


def binary(name="fleetwingd"):
    """The executable to test: FLEETWING_BIN is the directory that holds it."""
    places = [os.environ.get("FLEETWING_BIN"), ROOT / ".build/release", ROOT / ".build/debug"]
    for place in filter(None, places):
        if (pathlib.Path(place) / name).exists():
            return str(pathlib.Path(place) / name)
    return None


def free_port(address="127.0.0.1"):
    """A port that is free for UDP and TCP."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    picker = random.SystemRandom()
    for _ in range(200):
        port = picker.randint(FIRST_PORT, LAST_PORT)
        with socket.socket(family, socket.SOCK_DGRAM) as udp, socket.socket(family, socket.SOCK_STREAM) as tcp:
            try:
                udp.bind((address, port))
                tcp.bind((address, port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port")


def toml_value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(v) for v in value) + "]"
    return str(value) if isinstance(value, (int, float)) else json.dumps(value)


def is_table(value):
    return isinstance(value, dict) or isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def toml_text(sections):
    """TOML of {"section": {key: value}}; a list of tables becomes [[section]], a plain value a key at the top."""
    plain = {name: value for name, value in sections.items() if not is_table(value)}
    lines = [f"{name} = {toml_value(value)}" for name, value in plain.items()]
    for name, content in sections.items():
        if name in plain:
            continue
        for table in content if isinstance(content, list) else [content]:
            lines.append(f"[[{name}]]" if isinstance(content, list) else f"[{name}]")
            nested = {k: v for k, v in table.items() if isinstance(v, dict)}
            lines += [f"{key} = {toml_value(value)}" for key, value in table.items() if key not in nested]
            for key, inner in nested.items():
                lines.append(f"[{name}.{key}]")
                lines += [f"{k} = {toml_value(v)}" for k, v in inner.items()]
    return "\n".join(lines) + "\n"


def settings(upstreams, port, address="127.0.0.1", **sections):
    """The sections of a configuration: quick and quiet by default, each section of the caller merged over it. Whatever
    asks upstreams more than clients do, or answers without them, is off: tests count queries. One that is about it
    switches it on."""
    host = f"[{address}]" if ":" in address else address
    base = {
        "server": {"listen": [f"{host}:{port}"], "workers": 1},
        "group.default": {"upstreams": upstreams, "strategy": "ordered", "hedge": "off"},
        "health": {"mode": "off"}, "cache": {"stale": "0s", "prefetch": "0%", "persist": False},
        "pool": {}, "dns": {}, "log": {"level": "debug", "target": "stderr"},
    }
    for name, content in sections.items():
        name = "group.default" if name == "group" else name
        if not isinstance(content, dict):
            base[name] = content
        else:
            quiet = {"hedge": "off"} if name.startswith("group.") else {}
            base.setdefault(name, quiet).update(content)
    return base


class Daemon:
    """One running fleetwingd."""

    def __init__(self, directory, sections, port, address="127.0.0.1", prefix=(), environment=None, limit=None,
                 wait=True, program=None):
        self.port, self.address = port, address
        self.config = pathlib.Path(directory) / f"fleetwing-{port}.toml"
        self.config.write_text(sections if isinstance(sections, str) else toml_text(sections))
        self.log_path = pathlib.Path(directory) / f"log-{port}.txt"
        self.log_file = open(self.log_path, "wb")
        self.prefix = list(prefix)
        command = self.prefix + [program or binary(), "-c", str(self.config)]
        self.process = subprocess.Popen(
            command, stdout=self.log_file, stderr=self.log_file, stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})}, preexec_fn=limit)
        if wait:
            self.wait_ready()

    @property
    def pid(self):
        """The daemon itself, also when it runs under strace."""
        if not self.prefix:
            return self.process.pid
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def wait_ready(self, seconds=10):
        """A worker takes connections: it answers our FIN with its own. Being connected proves nothing: the daemon first
        tries for a moment whether it could listen, and who meets that socket is reset."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            if self.process.poll() is not None:
                raise AssertionError(f"fleetwingd ended with {self.process.returncode}:\n{self.log()}")
            try:
                with socket.create_connection((self.address, self.port), timeout=1) as connection:
                    connection.shutdown(socket.SHUT_WR)
                    if connection.recv(1) == b"":
                        return
            except OSError:
                time.sleep(0.01)
        raise AssertionError(f"fleetwingd does not listen:\n{self.log()}")

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_for_log(self, text, seconds=3, start=0):
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            if text in self.log()[start:]:
                return True
            time.sleep(0.02)
        return False

    def statistics(self):
        """The JSON object that SIGUSR1 writes to the log."""
        before = len(self.log())
        os.kill(self.pid, signal.SIGUSR1)
        limit = time.monotonic() + 3
        while time.monotonic() < limit:
            for line in self.log()[before:].splitlines(keepends=True):
                start = line.find("{")
                if start >= 0 and line.endswith("\n") and "pools" in line:
                    return json.loads(line[start:])
            time.sleep(0.01)
        raise AssertionError("SIGUSR1 gave no statistics:\n" + self.log()[before:][-2000:])

    def pools(self):
        """The statistics of the pools, by (upstream address, network)."""
        return {(p["address"], p["network"]): p for p in self.statistics()["pools"]}

    def total(self, field, network=None):
        """The sum of one number over the pools. For a field by reason or fault: of all its values."""
        found = [p[field] for p in self.statistics()["pools"] if network in (None, p["network"])]
        return sum(sum(v.values()) if isinstance(v, dict) else v for v in found)

    def failures(self, fault):
        return sum(p["failures"].get(fault, 0) for p in self.statistics()["pools"])

    def rss(self):
        """Resident octets."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) * 1024
        return 0

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def alive(self):
        return self.process.poll() is None

    def stop(self, seconds=10):
        """SIGTERM; the exit code."""
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                os.kill(self.pid, signal.SIGKILL)
                self.process.wait()
        self.log_file.close()
        return self.process.returncode
