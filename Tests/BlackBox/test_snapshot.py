"""The cache's snapshot in the state directory: what a client notices of a restart, and what an operator reads."""

import os
import pathlib
import signal
import stat
import subprocess
import time

import pytest

from clients import UDPClient, addresses


def ask(daemon, name):
    with UDPClient(daemon.port) as client:
        return client.ask(name)


class Kept:
    """A state directory, and daemons that use it one after another."""

    def __init__(self, build, directory):
        self.build, self.directory = build, pathlib.Path(directory)
        self.lab = build.lab()
        self.url = self.lab.url
        self.file = self.directory / "cache.snapshot"

    def start(self, **keywords):
        environment = {"STATE_DIRECTORY": str(self.directory), **keywords.pop("environment", {})}
        cache = {"persist": True, **keywords.pop("cache", {})}
        return self.build.daemon([self.url], environment=environment, cache=cache, **keywords)

    def fill_and_stop(self, *names):
        daemon = self.start()
        for name in names:
            assert ask(daemon, name).rcode() in (0, 3)
        assert daemon.stop() == 0
        return daemon


@pytest.fixture
def kept(build, tmp_path):
    directory = tmp_path / "state"
    directory.mkdir()
    return Kept(build, directory)


def test_restart_without_upstream(kept):
    """What was asked before the stop is answered after it, the upstream gone, with the time that passed counted."""
    first = kept.fill_and_stop("a.ttl-300.lab.example", "gone.nxdomain.lab.example")
    assert first.wait_for_log("2 answers of the cache were written")
    assert stat.S_IMODE(kept.file.stat().st_mode) == 0o600
    assert os.listdir(kept.directory) == ["cache.snapshot"]
    kept.lab.close()
    time.sleep(2.1)
    daemon = kept.start()
    assert daemon.wait_for_log("2 answers of the cache were loaded")
    response = ask(daemon, "a.ttl-300.lab.example")
    assert addresses(response) and 290 <= response.answer[0].ttl <= 298
    assert ask(daemon, "gone.nxdomain.lab.example").rcode() == 3


def test_what_ended_is_left_out(kept):
    kept.fill_and_stop("s1.ttl-1.count.lab.example", "l1.ttl-300.count.lab.example")
    time.sleep(1.5)
    daemon = kept.start()
    assert daemon.wait_for_log("of the cache were loaded")
    assert addresses(ask(daemon, "s1.ttl-1.count.lab.example")) == ["198.51.100.2"]
    assert addresses(ask(daemon, "l1.ttl-300.count.lab.example")) == ["198.51.100.1"]


def test_damaged_file_is_set_aside(kept):
    kept.fill_and_stop("a.count.lab.example")
    octets = bytearray(kept.file.read_bytes())
    octets[len(octets) // 2] ^= 0x40
    kept.file.write_bytes(octets)
    daemon = kept.start()
    assert daemon.wait_for_log("is damaged: a checksum is wrong")
    assert addresses(ask(daemon, "a.count.lab.example")) == ["198.51.100.2"]
    assert pathlib.Path(f"{kept.file}.damaged").read_bytes() == octets
    assert not kept.file.exists()
    assert daemon.stop() == 0
    again = kept.start()
    assert again.wait_for_log("1 answers of the cache were loaded")


RUBBISH = {
    "empty": (b"", "cut short"), "text": (b"no snapshot at all, but some text", "does not begin"),
    "random": (os.urandom(100_000), "does not begin"),
}


@pytest.mark.parametrize("octets,words", RUBBISH.values(), ids=RUBBISH)
def test_rubbish(kept, octets, words):
    kept.file.write_bytes(octets)
    daemon = kept.start()
    assert daemon.wait_for_log(words)
    assert ask(daemon, "b.lab.example").rcode() == 0


def test_newer_version_is_not_used(kept):
    kept.fill_and_stop("a.lab.example")
    octets = bytearray(kept.file.read_bytes())
    octets[8:12] = (7).to_bytes(4, "big")
    kept.file.write_bytes(octets)
    daemon = kept.start()
    assert daemon.wait_for_log("version 7")
    assert kept.file.read_bytes() == octets and not pathlib.Path(f"{kept.file}.damaged").exists()


def test_kill_keeps_the_last_file(kept):
    """SIGKILL leaves the file of the last stop or interval, whole."""
    kept.fill_and_stop("a.ttl-300.count.lab.example")
    before = kept.file.read_bytes()
    daemon = kept.start()
    assert daemon.wait_for_log("of the cache were loaded")
    ask(daemon, "b.count.lab.example")
    daemon.expected_exit = -signal.SIGKILL
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.process.wait(5)
    assert kept.file.read_bytes() == before
    again = kept.start()
    assert again.wait_for_log("1 answers of the cache were loaded")
    assert addresses(ask(again, "a.ttl-300.count.lab.example")) == ["198.51.100.1"]


def test_directory_that_cannot_be_written(kept):
    """A warning that names the file and the reason; the daemon serves and ends as ever."""
    (kept.directory / "file").write_text("")
    daemon = kept.start(environment={"STATE_DIRECTORY": str(kept.directory / "file")})
    assert ask(daemon, "a.lab.example").rcode() == 0
    assert daemon.stop() == 0
    assert "cannot be written to" in daemon.log() and "cache.snapshot" in daemon.log()


MOUNT = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
         'mount -t tmpfs -o size=4k none "$1" && shift && exec "$@"', "sh"]


def test_full_disk(kept):
    """A warning; the daemon serves and ends as ever."""
    if subprocess.run([*MOUNT, str(kept.directory), "true"], capture_output=True).returncode:
        pytest.skip("no user namespaces here")
    daemon = kept.start(prefix=[*MOUNT, str(kept.directory)])
    for number in range(100):
        assert ask(daemon, f"n{number}.lab.example").rcode() == 0
    # All of the prefix became the daemon, which therefore has the first process's id.
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(5) == 0
    assert "No space left on device" in daemon.log()


def test_first_of_several_directories(kept, tmp_path):
    (tmp_path / "second").mkdir()
    daemon = kept.start(environment={"STATE_DIRECTORY": f"{kept.directory}:{tmp_path / 'second'}"})
    assert daemon.stop() == 0
    assert kept.file.exists() and not os.listdir(tmp_path / "second")


@pytest.mark.skipif(os.access("/var/lib/fleetwing", os.W_OK), reason="this machine has a state directory")
def test_no_state_directory(build):
    environment = {"STATE_DIRECTORY": ""}
    daemon = build.daemon([build.lab().url], environment=environment, cache={"persist": True})
    assert daemon.wait_for_log("no state directory")
    assert daemon.log().count("no state directory") == 1
