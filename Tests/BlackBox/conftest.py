"""Fixtures of the black-box tests. `stack` starts lab upstreams and a daemon that asks them, and ends them all.

FLEETWING_BIN names the directory of the executables; without it .build/release, then .build/debug are tried.
"""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Lab")]

import certs
from clients import TCPClient, UDPClient
from daemon import Daemon, binary, free_port, settings
from lab import Lab


class Stack:
    """Lab upstreams and one daemon."""

    def __init__(self, labs, daemon):
        self.labs, self.daemon = labs, daemon
        self.lab = labs[0] if labs else None
        self.port = daemon.port
        self.closing = []

    def udp(self, **keywords):
        client = UDPClient(self.port, **keywords)
        self.closing.append(client)
        return client

    def tcp(self, **keywords):
        client = TCPClient(self.port, **keywords)
        self.closing.append(client)
        return client

    def ask(self, name, *arguments, **keywords):
        with UDPClient(self.port) as client:
            return client.ask(name, *arguments, **keywords)

    def close_clients(self):
        for client in self.closing:
            client.close()
        self.closing.clear()


class Builder:
    """Makes stacks and ends them."""

    def __init__(self, directory):
        self.directory, self.stacks, self.labs = directory, [], []

    def lab(self, **options):
        lab = Lab(**options)
        self.labs.append(lab)
        return lab

    def daemon(self, upstreams, **keywords):
        launch = {name: keywords.pop(name) for name in ("prefix", "environment", "limit", "wait", "program")
                  if name in keywords}
        address = keywords.pop("address", "127.0.0.1")
        port = keywords.pop("port", None) or free_port(address)
        sections = settings(upstreams, port, address, **keywords)
        daemon = Daemon(self.directory, sections, port, address, **launch)
        self.stacks.append(Stack([], daemon))
        return daemon

    def __call__(self, labs=1, tcp=False, lab=None, transport=None, upstream=None, **keywords):
        """`labs` lab upstreams with the options `lab` (a dictionary, or one for each), and the daemon that asks them
        over `transport` (udp, tcp, tls, https). `upstream` are further keys of each [[upstream]]."""
        transport = transport or ("tcp" if tcp else "udp")
        encrypted = transport in ("tls", "https")
        options = lab if isinstance(lab, list) else [lab or {}] * labs
        started = [self.lab(encrypted=encrypted, **each) for each in options]
        urls = [each.url_for(transport) for each in started]
        if encrypted:
            keywords["tls"] = {"ca": certs.shared().ca, **keywords.get("tls", {})}
        if upstream is not None:
            tables = [{"name": f"lab{i}", "url": url} for i, url in enumerate(urls)]
            keywords["upstream"] = [{**table, **upstream} for table in tables]
            urls = [table["name"] for table in tables]
        daemon = self.daemon(urls, **keywords)
        stack = self.stacks[-1]
        stack.labs, stack.lab = started, started[0] if started else None
        assert stack.daemon is daemon
        return stack

    def close(self):
        codes = []
        for stack in self.stacks:
            stack.close_clients()
            codes.append((stack.daemon.stop(), stack.daemon))
        for lab in self.labs:
            lab.close()
        return codes


@pytest.fixture(scope="session", autouse=True)
def executable():
    if binary() is None:
        pytest.exit("no fleetwingd: build it, or set FLEETWING_BIN to its directory", 4)


@pytest.fixture
def build(tmp_path):
    builder = Builder(tmp_path)
    yield builder
    check_exits(builder)


@pytest.fixture(scope="module")
def build_shared(tmp_path_factory):
    builder = Builder(tmp_path_factory.mktemp("shared"))
    yield builder
    check_exits(builder)


def check_exits(builder):
    """A daemon that was still running must end with 0 when it is told to: nothing may trap on the way."""
    for code, daemon in builder.close():
        expected = getattr(daemon, "expected_exit", 0)
        assert code == expected, f"exit {code}:\n{daemon.log()[-3000:]}"
