"""An upstream URL with a host name: resolved through `bootstrap`, off the query path, by TTL, again when it fails."""

import pytest

import certs
import wire
from bursts import right, wait_until
from clients import UDPClient


def start(build, transport="tls", bootstrap=None, port_of=None, **keywords):
    """A bootstrap lab that says 127.0.0.1 for every name, an encrypted lab, and a daemon that knows only its name."""
    resolver = build.lab(**(bootstrap or {"addresses": "127.0.0.1", "ttl": 300}))
    lab = build.lab(encrypted=True)
    port = getattr(lab, f"{transport}_port")
    url = f"{transport}://{certs.NAME}:{port}" + ("/dns-query" if transport == "https" else "")
    build.daemon([url], tls={"ca": certs.shared().ca}, bootstrap=[resolver.url], **keywords)
    return build.stacks[-1], resolver, lab


@pytest.mark.parametrize("transport", ["tls", "https"])
def test_resolved(build, transport):
    stack, resolver, lab = start(build, transport)
    assert right(stack.ask("a.lab.example"), "a.lab.example")
    for i in range(20):
        assert right(stack.ask(f"b{i}.lab.example"), f"b{i}.lab.example")
    assert resolver.asked(certs.NAME, wire.A) == 1 and resolver.asked(certs.NAME, wire.AAAA) == 1
    assert resolver.counters()["distinct_names"] == 2, "the bootstrap server was asked something else"
    assert set(lab.counters()["server_names"]) == {certs.NAME}
    assert lab.asked(certs.NAME) == 0, "the upstream was asked for its own name"


def test_retried(build):
    """The bootstrap server is silent at first: SERVFAIL until it answers, then all is well."""
    stack, resolver, _ = start(build, bootstrap={"silent": True, "addresses": "127.0.0.1"},
                               cache={"failure_ttl": "1s"})
    assert stack.ask("a.lab.example").rcode() == wire.SERVFAIL
    resolver.set(silent=False)
    assert wait_until(lambda: stack.ask("b.lab.example").rcode() == 0, 15)


@pytest.mark.parametrize("options", [{"rcode": 2}, {"rcode": 3}, {"addresses": "127.0.0.1", "loss": 60.0}], ids=str)
def test_failing_bootstrap(build, options):
    stack, resolver, _ = start(build, bootstrap=options, cache={"failure_ttl": "1s"})
    if "rcode" in options:
        assert stack.ask("a.lab.example").rcode() == wire.SERVFAIL
        resolver.set(rcode=-1, addresses="127.0.0.1")
    assert wait_until(lambda: stack.ask("b.lab.example").rcode() == 0, 15)


def test_second_address(build):
    """The first address does not answer (nobody listens there): the second is used, and soon."""
    stack, _, lab = start(build, bootstrap={"addresses": "127.0.0.3,127.0.0.1"})
    for i in range(5):
        assert right(stack.ask(f"s{i}.lab.example"), f"s{i}.lab.example")
    assert lab.counters()["queries"] == 5


def test_refreshed(build):
    """The address is asked for again when its TTL has run out (not sooner than the daemon's own floor)."""
    stack, resolver, _ = start(build, bootstrap={"addresses": "127.0.0.1", "ttl": 1})
    assert right(stack.ask("a.lab.example"), "a.lab.example")
    assert wait_until(lambda: resolver.asked(certs.NAME, wire.A) >= 2, 40)
    assert resolver.asked(certs.NAME, wire.A) <= 3
    assert right(stack.ask("c.lab.example"), "c.lab.example")


def test_queries_before_the_address_is_known(build):
    """Queries that come while the bootstrap server takes its time are answered when it has."""
    stack, _, _ = start(build, bootstrap={"addresses": "127.0.0.1", "delay": 300})
    with UDPClient(stack.port) as client:
        for i in range(10):
            client.send(wire.make_query(f"e{i}.lab.example", ident=i))
        answers = [client.receive(4.6) for _ in range(10)]
    assert all(answer is not None and answer[3] & 15 == 0 for answer in answers)
