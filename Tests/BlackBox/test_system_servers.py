"""upstreams = ["system"]: the daemon asks the machine's own name servers, and follows the files that name them.

Each daemon lives in a network namespace with two lab upstreams at port 53, and sees files of the test in the place of
the machine's.
"""

import os
import time

import pytest

import wire
from clients import UDPClient
from namespaces import mounted, namespaces

FIRST, SECOND = "198.51.100.53", "198.51.100.54"


class Scene:
    def __init__(self, build, machine, directory):
        self.machine, self.directory, self.asked = machine, directory, 0
        self.conf, self.run = directory / "resolv.conf", directory / "run"
        self.run.mkdir()
        machine.ip(f"addr add {FIRST}/32 dev lo", f"addr add {SECOND}/32 dev lo")
        with machine:
            self.first, self.second = build.lab(address=FIRST, port=53), build.lab(address=SECOND, port=53)
        self.build = build

    def start(self, *servers, **keywords):
        self.write(self.conf, *servers)
        with self.machine:
            self.daemon = self.build.daemon(
                ["system"], cache={"size": "0B"}, limit=mounted((self.conf, "/etc/resolv.conf"), (self.run, "/run")),
                **keywords)
        return self

    def write(self, path, *servers, replace=False):
        path.parent.mkdir(parents=True, exist_ok=True)
        target = path.with_suffix(".new") if replace else path
        target.write_text("".join(f"nameserver {server}\n" for server in servers))
        if replace:
            os.rename(target, path)

    def answered_by(self):
        """Which lab was asked for a fresh name; None when there was no answer."""
        self.asked += 1
        name = f"n{self.asked}.lab.example"
        with self.machine, UDPClient(self.daemon.port) as client:
            answer = client.ask(name, seconds=3)
        if answer is None or answer.rcode() != wire.NOERROR:
            return None
        return [lab.address for lab in (self.first, self.second) if lab.asked(name)]


@pytest.fixture
def scene(build, tmp_path):
    with namespaces(1) as (machine,):
        yield Scene(build, machine, tmp_path)


def test_first_query_and_changes(scene):
    scene.start("127.0.0.53", "127.0.0.1", "::1", FIRST, FIRST)
    assert scene.answered_by() == [FIRST]
    assert scene.daemon.wait_for_log(f"upstreams are now {FIRST} (/etc/resolv.conf)")
    scene.write(scene.conf, SECOND)  # in place: it is mounted over the machine's, and cannot be renamed
    assert scene.daemon.wait_for_log(f"upstreams are now {SECOND} (/etc/resolv.conf)")
    assert scene.answered_by() == [SECOND]
    resolved = scene.run / "systemd/resolve/resolv.conf"
    scene.write(resolved, FIRST)
    assert scene.daemon.wait_for_log(f"upstreams are now {FIRST} (/run/systemd/resolve/resolv.conf)")
    assert scene.answered_by() == [FIRST]
    scene.write(resolved, SECOND, FIRST, replace=True)
    assert scene.daemon.wait_for_log(f"upstreams are now {SECOND}, {FIRST} (/run/systemd/resolve/resolv.conf)")
    assert scene.answered_by() == [SECOND]


def test_none_then_some(scene):
    """At boot the file may be empty: a warning, SERVFAIL at once or soon, and answers when it is filled."""
    scene.start("127.0.0.1")
    assert scene.daemon.wait_for_log("no name server that can be asked (/etc/resolv.conf)")
    begin = time.monotonic()
    with scene.machine, UDPClient(scene.daemon.port) as client:
        assert client.ask("none.lab.example", seconds=5).rcode() == wire.SERVFAIL
    assert time.monotonic() - begin < 4.5
    scene.write(scene.conf, SECOND)
    assert scene.daemon.wait_for_log(f"upstreams are now {SECOND}")
    assert scene.answered_by() == [SECOND]


def test_never_itself(scene):
    """Listening on the wildcard address at port 53, every address of the machine is the daemon's own."""
    world = "192.0.2.1"
    scene.first.close()
    scene.second.close()
    scene.build.labs.clear()
    scene.start(FIRST, SECOND, world, port=53, server={"listen": ["0.0.0.0:53"]})
    assert scene.daemon.wait_for_log(f"upstreams are now {world} (/etc/resolv.conf)")
