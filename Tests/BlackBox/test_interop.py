"""Fleetwing before servers that we did not write: unbound and dnsdist as DoT and as DoH upstream."""

import pytest

import certs
import servers
from bursts import burst, right
from clients import UDPClient


@pytest.fixture(params=["unbound", "dnsdist"])
def server(request, build, tmp_path):
    if not servers.executable(request.param):
        pytest.skip(f"{request.param} is not installed")
    running = servers.Server(request.param, build.lab(), tmp_path / request.param)
    yield running
    running.close()


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("transport", ["tls", "https"])
def test_server(build, server, transport, method):
    if transport == "tls" and method == "GET":
        pytest.skip("GET is a method of HTTP")
    keys = {"name": "theirs", "url": server.url_for(transport)}
    if transport == "https":
        keys["http_method"] = method
    build.daemon(["theirs"], tls={"ca": certs.shared().ca}, upstream=[keys])
    stack = build.stacks[-1]
    assert right(stack.ask("one.lab.example"), "one.lab.example")
    assert stack.ask("x.nxdomain.lab.example", edns=1232).rcode() == 3
    with stack.tcp() as client:
        assert len(client.ask("l.huge-300.lab.example", edns=1232).answer[0]) == 300
    good, last = burst(stack, "many", 200)
    assert good == 200 and last < 4.5
    for i in range(20):
        assert right(stack.ask(f"calm{i}.lab.example"), f"calm{i}.lab.example")
    statistics = stack.daemon.statistics()
    pools = [p for p in statistics["pools"] if p["network"] == transport]
    assert len(pools) == 1 and pools[0]["peak"] <= 10 and sum(pools[0]["opened"].values()) <= 20
    assert sum(pools[0]["failures"].values()) == 0, pools[0]


def test_server_that_answers_in_order(build, tmp_path):
    """dnsdist without options: bursts and calm, every query answered, none by waiting for its deadline."""
    if not servers.executable("dnsdist"):
        pytest.skip("dnsdist is not installed")
    running = servers.Server("dnsdist-in-order", build.lab(), tmp_path / "dnsdist")
    try:
        build.daemon([running.url_for("tls")], tls={"ca": certs.shared().ca})
        for i in range(3):
            good, last = burst(build.stacks[-1], f"many{i}", 200)
            assert good == 200 and last < 2
    finally:
        running.close()


@pytest.mark.parametrize("transport", ["tls", "https"])
def test_server_restarts(build, server, transport, tmp_path):
    """Their process ends and is started again: queries after that are answered."""
    build.daemon([server.url_for(transport)], tls={"ca": certs.shared().ca})
    port = build.stacks[-1].port
    with UDPClient(port) as client:
        assert right(client.ask("before.lab.example"), "before.lab.example")
        server.close()
        assert client.ask("between.lab.example").rcode() == 2
