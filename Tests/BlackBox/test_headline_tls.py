"""The headline over DoT and DoH: 3,000 in flight, 3 upstreams, at most 30 connections, one handshake each."""

import pytest

import load
import sockets
from bursts import right, wait_until


@pytest.mark.parametrize("transport", ["tls", "https"])
@pytest.mark.parametrize("strategy", ["round-robin", "fastest"])
def test_headline(build, transport, strategy):
    # The real server would take 50 ms; all simulated clients have one address.
    stack = build(transport=transport, lab=[{"delay": 50}] * 3, group={"strategy": strategy},
                  server={"max_inflight_per_client": 0})
    ports = [getattr(lab, f"{transport}_port") for lab in stack.labs]
    with sockets.Sampler(stack.daemon.pid, ports) as sampler:
        result = load.run(stack.port, 1000, 3)
    assert (result.right, result.wrong, result.failed, result.stray) == (3000, 0, 0, 0), vars(result)
    assert sampler.samples >= 2 and 0 < sampler.peak <= 30
    pools = stack.daemon.statistics()["pools"]
    assert sum(p["peak"] for p in pools) <= 30 and stack.daemon.failures("local") == 0
    for lab in stack.labs:
        counters = lab.counters()
        assert counters["connections_peak"] <= 10
        assert counters["handshakes"] == counters["connections_opened"] <= 10
        assert counters["udp"] == counters["tcp"] == 0 and counters["duplicates"] <= 100
    idle_close(stack)


def idle_close(stack):
    """All connections end while idle, without notice: the next query of each upstream resumes a session."""
    for lab in stack.labs:
        lab.set(delay=0, no_notice=True)
        lab.drop_connections()
        assert wait_until(lambda lab=lab: lab.counters()["connections_open"] == 0)
        lab.reset()
    for i in range(30):
        assert right(stack.ask(f"idle{i}.lab.example"), f"idle{i}.lab.example")
    for lab in stack.labs:
        counters = lab.counters()
        assert counters["resumed"] == counters["handshakes"] and counters["tickets_reused"] == 0, counters
    assert sum(lab.counters()["resumed"] for lab in stack.labs) >= 1


@pytest.mark.parametrize("transport", ["tls", "https"])
def test_memory_of_idle_connections(build, transport):
    """Thirty idle connections: at most 25 KiB each over DoT and 40 KiB each over DoH."""
    stack = build(transport=transport, lab=[{"delay": 50}] * 3, group={"strategy": "round-robin"},
                  server={"max_inflight_per_client": 0}, cache={"size": "0B"})
    load.run(stack.port, 500, 3, prefix="warm")
    for lab in stack.labs:
        lab.drop_connections()
    assert wait_until(lambda: stack.daemon.total("total") == 0)
    before = stack.daemon.rss()
    load.run(stack.port, 500, 3, prefix="full")
    count = stack.daemon.total("total")
    assert wait_until(lambda: stack.daemon.total("in_flight") == 0)
    limit = (25 if transport == "tls" else 40) << 10
    assert stack.daemon.rss() - before <= max(count, 1) * limit + (256 << 10)
