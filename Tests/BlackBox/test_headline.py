"""The headline: 1,000 clients with 3 queries each in flight over 3 upstreams that take 50 ms, through 30 sockets."""

import re
import shutil
import subprocess

import pytest

import load
import sockets
from clients import UDPClient

PROFILES = ["round-robin", "random", "fastest"]


def start(build, strategy="round-robin", **launch):
    # All simulated clients have one address, so the limit for a single client is out of the way.
    return build(lab=[{"delay": 50}] * 3, group={"strategy": strategy}, server={"max_inflight_per_client": 0},
                 **launch)


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("strategy", PROFILES)
def test_headline(build, strategy, tcp):
    stack = start(build, strategy, tcp=tcp)
    ports = [lab.port for lab in stack.labs]
    with sockets.Sampler(stack.daemon.pid, ports) as sampler:
        result = load.run(stack.port, 1000, 3)
    assert (result.right, result.wrong, result.failed, result.stray) == (3000, 0, 0, 0), vars(result)
    assert sampler.samples and 0 < sampler.peak <= 30
    assert sum(p["peak"] for p in stack.daemon.statistics()["pools"]) <= 30
    assert stack.daemon.failures("local") == 0
    for lab in stack.labs:
        counters = lab.counters()
        assert counters["connections_peak"] <= 10
        assert counters["duplicates"] == 0, "no query was sent twice"
    assert sockets.time_wait(ports) <= 30, "a pile of TIME_WAIT"
    if strategy == "round-robin":
        assert all(lab.counters()["queries"] >= 900 for lab in stack.labs)
    sequential(stack, tcp)


def sequential(stack, tcp):
    """300 queries one after another leave from at least ten ports."""
    for lab in stack.labs:
        lab.reset()
        lab.set(delay=0)
    with UDPClient(stack.port) as client:
        for i in range(300):
            assert client.ask(f"one-{i}.lab.example").rcode() == 0
    if not tcp:
        ports = set()
        for lab in stack.labs:
            ports |= set(lab.counters()["ports"])
        assert len(ports) >= 10


def test_again_and_again(build):
    """Three bursts with new names: the sockets stay, none is leaked."""
    stack = start(build)
    ports = [lab.port for lab in stack.labs]
    for i in range(3):
        result = load.run(stack.port, 1000, 3, prefix=f"again{i}")
        assert result.right == 3000, vars(result)
        assert sockets.count(stack.daemon.pid, ports) <= 30
    before = stack.daemon.descriptors()
    load.run(stack.port, 1000, 3, prefix="again9")
    assert stack.daemon.descriptors() <= before + 30


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_socket_calls(build, tmp_path):
    """`strace -f -c`: under 100 socket calls for 3,000 queries, rotation counted."""
    output = tmp_path / "strace.txt"
    probe = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True)
    if probe.returncode:
        pytest.skip("ptrace is not permitted here: " + probe.stderr.decode()[:200])
    stack = start(build, prefix=["strace", "-f", "--seccomp-bpf", "-c", "-e", "trace=socket", "-o", str(output)])
    result = load.run(stack.port, 1000, 3)
    assert result.right == 3000, vars(result)
    stack.daemon.stop()
    found = re.search(r"(\d+)\s+(?:\d+\s+)?socket$", output.read_text(), re.MULTILINE)
    assert found, output.read_text()
    assert int(found.group(1)) < 100, output.read_text()
