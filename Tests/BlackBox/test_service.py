"""What systemd and an operator see: readiness, the end, a taken port, exit codes, the log, the statistics."""

import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

import wire
from clients import TCPClient, UDPClient, read
from daemon import Daemon, binary, free_port, settings, toml_text


class NotifySocket:
    def __init__(self, directory):
        self.path = str(pathlib.Path(directory) / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)

    def receive(self, wanted, seconds=5):
        """The first message that contains `wanted`; those before it are passed over."""
        limit = time.monotonic() + seconds
        while (left := limit - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                message = self.socket.recv(4096).decode()
            except TimeoutError:
                break
            if wanted in message:
                return message
        raise AssertionError(f"no {wanted} on NOTIFY_SOCKET")


def test_notify(build, tmp_path):
    notify = NotifySocket(tmp_path)
    lab = build.lab()
    daemon = build.daemon([lab.url], environment={"NOTIFY_SOCKET": notify.path}, wait=False)
    assert "READY=1" in notify.receive("READY=1")
    with UDPClient(daemon.port) as client:  # sockets are bound once READY is said
        assert client.ask("notify.lab.example").rcode() == 0
    daemon.process.send_signal(signal.SIGTERM)
    assert "STOPPING=1" in notify.receive("STOPPING=1")
    assert daemon.process.wait(5) == 0


def test_status(build, tmp_path):
    notify = NotifySocket(tmp_path)
    build.daemon([build.lab().url], environment={"NOTIFY_SOCKET": notify.path}, wait=False)
    assert "STATUS=" in notify.receive("STATUS=")


def test_ready_without_upstream(build, tmp_path):
    """At boot there may be no network: READY does not wait for an upstream."""
    notify = NotifySocket(tmp_path)
    build.daemon([f"udp://127.0.0.1:{free_port()}"], environment={"NOTIFY_SOCKET": notify.path}, wait=False)
    notify.receive("READY=1", 3)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_drains_what_is_in_flight(build, number):
    """A signal: queries in flight are answered, then exit 0; over UDP and TCP."""
    stack = build(lab={"delay": 400})
    with UDPClient(stack.port) as client, TCPClient(stack.port) as tcp:
        for i in range(20):
            client.send(wire.make_query(f"drain{i}.lab.example", ident=i))
        tcp.send_query("drain-tcp.lab.example", ident=99)
        time.sleep(0.1)
        begin = time.monotonic()
        stack.daemon.process.send_signal(number)
        answers = [client.receive(3) for _ in range(20)]
        assert all(a is not None and read(a).rcode() == 0 for a in answers)
        assert read(tcp.receive(3)).rcode() == 0
    assert stack.daemon.process.wait(5) == 0
    assert time.monotonic() - begin < 3


def test_grace_is_bounded(build):
    stack = build(lab={"silent": True}, server={"shutdown_grace": "1s"})
    with UDPClient(stack.port) as client:
        client.send(wire.make_query("never.lab.example"))
        time.sleep(0.1)
        begin = time.monotonic()
        stack.daemon.process.send_signal(signal.SIGTERM)
        assert stack.daemon.process.wait(5) == 0
        assert time.monotonic() - begin < 2.5


def test_stops_at_once_when_idle(build):
    stack = build()
    stack.ask("idle.lab.example")
    begin = time.monotonic()
    assert stack.daemon.stop() == 0
    assert time.monotonic() - begin < 1


def run_daemon(tmp_path, text, *options):
    path = tmp_path / "c.toml"
    path.write_text(text)
    return subprocess.run([binary(), "-c", str(path), *options], capture_output=True, text=True, timeout=20)


@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_port_taken(tmp_path, kind):
    """The text names the address and the likely cure; the exit code is not 0."""
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as owner:
        owner.bind(("127.0.0.1", port))
        if kind == "tcp":
            owner.listen()
        done = run_daemon(tmp_path, toml_text(settings(["udp://127.0.0.1:9"], port)))
    text = done.stdout + done.stderr
    assert done.returncode not in (0, -6, -11)
    assert f"127.0.0.1:{port}" in text and "taken" in text and "server.listen" in text


GOOD = 'upstreams = ["udp://127.0.0.1:5399"]\n'


@pytest.mark.parametrize("text,code,words", [
    (GOOD, 0, []),
    (GOOD + "[pool]\nidle_timout = \"5m\"\n", 78, ["idle_timout", ":3:1", "did you mean 'idle_timeout'"]),
    (GOOD + "[pool]\nmax_connections = 5000\n", 78, [":3:", "max_connections", "1000"]),
    (GOOD + "[cache]\nmax_ttl = 5\n", 78, [":3:", "unit"]),
    (GOOD + "[server]\nworkers = \"many\"\n[cache]\nsiez = \"1MiB\"\n", 78, [":3:", ":5:"]),
    ("upstreams = [\n", 78, ["c.toml"]),
    ('upstreams = ["quic://1.1.1.1"]\n', 78, ["QUIC"]),
    ("\xff\xfe", 78, ["c.toml"]),
])
def test_check(tmp_path, text, code, words):
    """--check: every error in one pass with its place, exit 78; nothing is bound."""
    done = run_daemon(tmp_path, text, "--check")
    output = done.stdout + done.stderr
    assert done.returncode == code, output
    for word in words:
        assert word in output, output


def test_bad_start_is_loud(tmp_path):
    done = run_daemon(tmp_path, GOOD + "[pool]\nidle_timout = \"5m\"\n")
    assert done.returncode == 78 and "idle_timout" in done.stdout + done.stderr
    missing = subprocess.run([binary(), "-c", str(tmp_path / "none.toml")], capture_output=True, text=True, timeout=10)
    assert missing.returncode in (66, 78) and "none.toml" in missing.stdout + missing.stderr


def test_version_and_help():
    for option in ("--version", "--help"):
        done = subprocess.run([binary(), option], capture_output=True, text=True, timeout=10)
        assert done.returncode == 0 and "fleetwing" in done.stdout.lower()
    assert subprocess.run([binary(), "--nonsense"], capture_output=True, timeout=10).returncode == 64


def test_serve_execs_the_daemon(build, tmp_path):
    """`fleetwing serve -c FILE` becomes the daemon beside it: same process, same log."""
    if binary("fleetwing") is None:
        pytest.skip("no fleetwing command")
    lab, port = build.lab(), free_port()
    path = tmp_path / "serve.toml"
    path.write_text(toml_text(settings([lab.url], port)))
    with open(tmp_path / "serve.log", "wb") as log:
        process = subprocess.Popen([binary("fleetwing"), "serve", "-c", str(path)], stdout=log, stderr=log)
    try:
        limit = time.monotonic() + 5
        while os.readlink(f"/proc/{process.pid}/exe").rsplit("/", 1)[1] != "fleetwingd":
            assert time.monotonic() < limit
            time.sleep(0.02)
        Daemon.wait_ready(Waiting(process, port, tmp_path / "serve.log"))
        with UDPClient(port) as client:
            assert client.ask("serve.lab.example").rcode() == 0
    finally:
        process.terminate()
        assert process.wait(5) == 0


class Waiting:
    """Just enough of a Daemon to wait for one that another command started."""

    def __init__(self, process, port, log_path):
        self.process, self.port, self.log_path, self.address = process, port, log_path, "127.0.0.1"

    def log(self):
        return self.log_path.read_text(errors="replace")


def test_statistics(build):
    """SIGUSR1: one JSON line with every pool; the daemon goes on."""
    stack = build(labs=2, group={"strategy": "round-robin"})
    for i in range(20):
        stack.ask(f"stat{i}.lab.example")
    pools = [p for p in stack.daemon.statistics()["pools"] if p["network"] == "udp"]
    assert len(pools) == 2
    for pool in pools:
        for field in ("upstream", "address", "network", "active", "total", "max_connections", "idle_timeout", "waiters",
                      "opened", "closed", "reused", "in_flight", "queries", "peak", "failures"):
            assert field in pool, field
        # One more is the loop probe.
        assert pool["max_connections"] == 10 and pool["queries"] in (10, 11)
    assert stack.ask("still.lab.example").rcode() == 0


def test_pool_events_are_logged(build):
    stack = build(tcp=True, pool={"idle_timeout": "1s"})
    stack.ask("log.lab.example")
    time.sleep(1.6)
    log = stack.daemon.log()
    assert "opened" in log and "/10" in log and "idle" in log


def test_no_name_of_a_client_in_the_log(build):
    """Query names are private: they are not in the log."""
    stack = build()
    stack.ask("very-private-name.lab.example")
    stack.ask("very-private-name.rcode-2.lab.example")
    stack.ask("very-private-name.wrongid.lab.example")
    assert "very-private-name" not in stack.daemon.log()
