"""Forwarding loops: found at run time, said in the log, switched off; clients get an answer, nobody spins."""

import os
import time

import pytest

import wire
from bursts import right, wait_until
from clients import UDPClient, extended_errors
from daemon import free_port

FOUND = "sends our queries back to us"
TICKS = os.sysconf("SC_CLK_TCK")


def states(daemon):
    return {u["upstream"]: u["state"] for u in daemon.statistics()["upstreams"]}


def processor_time(daemon):
    with open(f"/proc/{daemon.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def ring(build, count, scheme="udp", members=(), **keywords):
    """`count` daemons, each with the next one as its upstream, and `members` beside it."""
    ports = []
    while len(ports) < count:
        port = free_port()
        if port not in ports:
            ports.append(port)
    return [build.daemon([f"{scheme}://127.0.0.1:{ports[(i + 1) % count]}", *members], port=ports[i], **keywords)
            for i in range(count)]


@pytest.mark.parametrize("scheme", ["udp", "tcp"])
@pytest.mark.parametrize("count", [2, 3])
def test_ring(build, count, scheme):
    """Daemons that forward to each other: at least one says so, though the first ones ask before the last listens."""
    daemons = ring(build, count, scheme)
    assert wait_until(lambda: any(FOUND in daemon.log() for daemon in daemons), 10)
    time.sleep(1)
    before = [processor_time(daemon) for daemon in daemons]
    begin = time.monotonic()
    for daemon in daemons:
        with UDPClient(daemon.port) as client:
            for i in range(5):
                response = client.ask(f"r{i}.lab.example", edns=1232, seconds=6)
                assert response.rcode() == wire.SERVFAIL and extended_errors(response), response
    assert time.monotonic() - begin < 10
    time.sleep(2)
    spent = [processor_time(daemon) - old for daemon, old in zip(daemons, before)]
    assert max(spent) < 0.5, spent
    for daemon in daemons:
        if FOUND in daemon.log():
            assert "looping" in states(daemon).values()
            assert daemon.log().count(FOUND) == 1, "said once"
    # A ring that is cut once is none any more: not everybody in it must see it.
    assert any("looping" in states(daemon).values() for daemon in daemons)


def test_loop_beside_a_good_member(build):
    """The member that loops is not asked; the other answers all."""
    lab = build.lab()
    daemons = ring(build, 2, members=[lab.url])
    assert wait_until(lambda: any(FOUND in daemon.log() for daemon in daemons), 10)
    for daemon in daemons:
        with UDPClient(daemon.port) as client:
            for i in range(10):
                name = f"g{daemon.port}-{i}.lab.example"
                begin = time.monotonic()
                assert right(client.ask(name), name)
                assert time.monotonic() - begin < 0.5


def test_itself_through_another_address(build):
    """A listener on the wildcard address and 127.0.0.2 as upstream: a mistake that the file shows."""
    port = free_port()
    with pytest.raises(AssertionError, match="ended with 78"):
        build.daemon([f"udp://127.0.0.2:{port}"], port=port, server={"listen": [f"0.0.0.0:{port}"]})
    build.stacks.clear()


def test_ring_ends(build):
    """The other daemon is replaced by a good server at the same address: the upstream is used again by itself."""
    daemons = ring(build, 2)
    assert wait_until(lambda: FOUND in daemons[1].log(), 10)
    assert states(daemons[1]) == {u: "looping" for u in states(daemons[1])}
    port = daemons[0].port
    assert daemons[0].stop() == 0
    build.lab(port=port)
    assert daemons[1].wait_for_log("does not send our queries back", 75), "asked once a minute"
    assert list(states(daemons[1]).values()) == ["up"]
    with UDPClient(daemons[1].port) as client:
        assert right(client.ask("ended.lab.example"), "ended.lab.example")
