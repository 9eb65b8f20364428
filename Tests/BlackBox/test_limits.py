"""Too few descriptors, too many queries: shed as configured, bounded memory, recovery by itself."""

import resource
import time

import pytest

import wire
from clients import TCPClient, UDPClient, addresses

MEBIBYTE = 1 << 20


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def flood(client, count, prefix):
    """Sends `count` different queries, 500 at a time; returns the responses that came meanwhile as (rcode, count)."""
    rcodes = {}

    def take(seconds):
        while (answer := client.receive(seconds)) is not None:
            rcodes[answer[3] & 15] = rcodes.get(answer[3] & 15, 0) + 1

    for i in range(count):
        client.send(wire.make_query(f"{prefix}{i}.lab.example", ident=i & 0xFFFF))
        if i % 500 == 499:
            take(0.002)
    take(0.5)
    return rcodes


def recovers(stack, seconds=6):
    begin = time.monotonic()
    while True:
        response = stack.ask(f"well{time.monotonic_ns()}.lab.example", seconds=1)
        if response is not None and response.rcode() == 0:
            return True
        if time.monotonic() - begin > seconds:
            return False
        time.sleep(0.1)


@pytest.mark.parametrize("overload", ["servfail", "drop"])
def test_ten_thousand_in_flight(build, overload):
    """A silent upstream and 10,000 queries with room for 2,000: the rest is shed at once."""
    stack = build(server={"max_inflight": 2000, "max_inflight_per_client": 0, "overload": overload},
                  pool={"max_waiters": 1000}, cache={"failure_ttl": "1s"})
    assert stack.ask("kept.lab.example").rcode() == 0
    before = stack.daemon.rss()
    stack.lab.set(silent=True)
    with UDPClient(stack.port) as client:
        rcodes = flood(client, 10000, "flood")
        if overload == "servfail":
            assert rcodes.get(2, 0) >= 7000, rcodes
        else:
            assert sum(rcodes.values()) <= 2500, rcodes
        begin = time.monotonic()
        assert addresses(stack.ask("kept.lab.example", seconds=1)) == [wire.address4("kept.lab.example")]
        assert time.monotonic() - begin < 0.2, "the cache answers although everything else is full"
        assert stack.daemon.rss() - before < 64 * MEBIBYTE
        stack.lab.set(silent=False)
        assert recovers(stack)
    # Waiting in vain for room in the pool is a local failure; no other one may have happened.
    assert stack.daemon.failures("local") == stack.daemon.total("wait_failed")


def test_ten_thousand_served(build):
    """The default limits and a slow, sane upstream: 10,000 in flight are all answered."""
    stack = build(server={"max_inflight_per_client": 0}, lab={"delay": 800}, group={"attempt_timeout": "3s"},
                  pool={"max_waiters": 20000, "acquire_timeout": "3s"})
    with UDPClient(stack.port) as client:
        rcodes = flood(client, 10000, "served")
        limit = time.monotonic() + 5
        while sum(rcodes.values()) < 10000 and time.monotonic() < limit:
            answer = client.receive(0.5)
            if answer is not None:
                rcodes[answer[3] & 15] = rcodes.get(answer[3] & 15, 0) + 1
    assert rcodes.get(0, 0) >= 9900, rcodes
    assert stack.lab.counters()["max_in_flight"] > 3000


def test_limit_for_one_client(build):
    """One greedy client does not starve the others."""
    stack = build(server={"max_inflight_per_client": 100}, lab={"delay": 500}, group={"attempt_timeout": "2s"})
    with UDPClient(stack.port) as greedy, UDPClient(stack.port, source="127.0.0.9") as other:
        for i in range(1000):
            greedy.send(wire.make_query(f"greedy{i}.lab.example", ident=i))
        response = other.ask("other.lab.example", seconds=3)
        assert response is not None and response.rcode() == 0
    assert stack.lab.counters()["max_in_flight"] <= 110


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_64_descriptors(build, tcp):
    """`ulimit -n 64`: queries over UDP go on, TCP clients above the limit wait or go, all recovers."""
    stack = build(labs=3, tcp=tcp, group={"strategy": "round-robin"}, limit=few_descriptors)
    held = []
    for _ in range(100):
        try:
            held.append(TCPClient(stack.port))
        except OSError:
            break
    time.sleep(0.3)
    cpu_before = cpu_seconds(stack.daemon.pid)
    answered = 0
    for i in range(60):
        response = stack.ask(f"few{i}.lab.example", seconds=5)
        answered += response is not None and response.rcode() == 0
    assert stack.daemon.alive()
    # With sockets of the pool open before, or descriptors kept for it, nothing is lost; at worst the first few are.
    assert answered >= 50
    time.sleep(0.5)
    assert cpu_seconds(stack.daemon.pid) - cpu_before < 1.5, "no spinning while accept must wait"
    for client in held:
        client.close()
    time.sleep(0.3)
    with TCPClient(stack.port) as client:
        assert client.ask("room.lab.example").rcode() == 0
    assert recovers(stack)
    assert stack.daemon.failures("upstream") == 0, "our own limit is never the upstream's fault"


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_idle_costs_nothing(build):
    stack = build()
    stack.ask("idle.lab.example")
    before = cpu_seconds(stack.daemon.pid)
    time.sleep(1)
    assert cpu_seconds(stack.daemon.pid) - before < 0.05
