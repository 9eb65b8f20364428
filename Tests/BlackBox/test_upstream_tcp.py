"""Every misbehaviour of a TCP upstream: what the client sees, and that it costs at most a bounded time."""

import time

import pytest

import wire
from bursts import burst, right, wait_until
from clients import UDPClient, read


@pytest.mark.parametrize("options,connections", [
    ({}, 10), ({"delay": 50}, 10), ({"out_of_order": True}, 10), ({"in_order": True, "jitter": 30}, 10),
    ({"drip": 400, "drip_ms": 1}, 10), ({"half_close": 20}, 40), ({"close_after": 20}, 40), ({"rst_after": 20}, 40),
    ({"jitter": 100}, 10),
])
def test_burst(build, options, connections):
    """100 queries at once: all answered, over few connections, whatever the server does to those."""
    stack = build(tcp=True, lab=options)
    good, last = burst(stack, "b", 100)
    assert good == 100 and last < 4.5
    assert stack.lab.counters()["connections_opened"] <= connections
    assert stack.lab.counters()["connections_peak"] <= 10


@pytest.mark.parametrize("options", [{"close_after": 1}, {"rst_after": 1}, {"close_idle": 0.05}, {"half_close": 1}])
def test_one_after_another(build, options):
    """The connection is gone after each answer: the next query finds out and is asked on a fresh one, without loss."""
    stack = build(tcp=True, lab=options)
    for i in range(15):
        begin = time.monotonic()
        assert right(stack.ask(f"o{i}.lab.example"), f"o{i}.lab.example")
        assert time.monotonic() - begin < 1
        time.sleep(0.06 if "close_idle" in options else 0)


def test_connection_is_reused(build):
    stack = build(tcp=True)
    for i in range(100):
        assert right(stack.ask(f"r{i}.lab.example"), f"r{i}.lab.example")
    assert stack.lab.counters()["connections_opened"] <= 2
    pool = [p for p in stack.daemon.statistics()["pools"] if p["network"] == "tcp"][0]
    assert pool["reused"] >= 97


def test_all_pooled_connections_stale(build):
    """Every pooled connection was closed while idle: the next queries succeed on fresh ones."""
    stack = build(tcp=True, lab={"delay": 30})
    assert burst(stack, "warm", 60)[0] == 60
    for reset in (False, True):
        stack.lab.drop_connections(reset=reset)
        good, last = burst(stack, f"after{reset}", 60)
        assert good == 60 and last < 1
    assert stack.daemon.failures("local") == 0


@pytest.mark.parametrize("options", [
    {"close_at_once": True}, {"silent": True}, {"never_read": True}, {"refuse_tcp": True},
])
def test_no_answer_to_be_had(build, options):
    """SERVFAIL within the deadline; and when the server is well again it is used again within seconds."""
    stack = build(tcp=True, lab=options, cache={"failure_ttl": "1s"})
    begin = time.monotonic()
    assert stack.ask("n.lab.example").rcode() == wire.SERVFAIL
    assert time.monotonic() - begin < 4.6
    stack.lab.set(**{name: False for name in options})
    stack.lab.drop_connections()
    begin = time.monotonic()
    while not (response := stack.ask(f"w{time.monotonic_ns()}.lab.example")).rcode() == 0:
        assert time.monotonic() - begin < 10, response
        time.sleep(0.1)


def test_server_turns_silent(build):
    """The peer accepts writes and answers nothing: noticed within 3 s although new queries keep coming."""
    stack = build(tcp=True, group={"attempt_timeout": "500ms"})
    assert stack.ask("well.lab.example").rcode() == 0
    opened = stack.lab.counters()["connections_opened"]
    stack.lab.set(silent=True)
    begin = time.monotonic()
    with UDPClient(stack.port) as client:
        count = 0
        while time.monotonic() - begin < 3.5:
            count += 1
            client.send(wire.make_query(f"silent{count}.lab.example", ident=count))
            time.sleep(0.05)
            if count == 20:
                stack.lab.set(silent=False)  # old connection: its queries are lost; only a new query shows life
        client.drain(0.5)
    assert right(stack.ask("again.lab.example"), "again.lab.example")
    assert stack.lab.counters()["connections_opened"] >= opened


def test_one_name_never_answered(build):
    """One name that is never answered fails alone; its neighbours on the connection do not notice."""
    stack = build(tcp=True)
    with UDPClient(stack.port) as silent, UDPClient(stack.port) as client:
        silent.send(wire.make_query("x.drop.lab.example", ident=1))
        end, count = time.monotonic() + 4.5, 0
        while time.monotonic() < end:
            name = f"neighbour{count}.lab.example"
            begin = time.monotonic()
            assert right(client.ask(name), name)
            assert time.monotonic() - begin < 0.5
            count += 1
            time.sleep(0.02)
        answer = silent.receive(2)
        assert answer is not None and read(answer).rcode() == wire.SERVFAIL
    assert stack.lab.counters()["connections_opened"] <= 6


@pytest.mark.parametrize("word", ["close", "rst", "zerolen", "longlen", "garbage.ontcp", "short.ontcp",
                                  "wrongid.ontcp", "wrongquestion.ontcp", "wrongid.ontcp.thenright",
                                  "wrongquestion.ontcp.thenright", "tc.ontcp", "empty.ontcp", "header.ontcp"])
def test_bad_name_on_a_shared_connection(build, word):
    """A name that breaks the connection: it gets an answer in bounded time, its neighbours get theirs."""
    stack = build(tcp=True, lab={"delay": 20})
    with UDPClient(stack.port) as bad, UDPClient(stack.port) as client:
        for i in range(20):
            client.send(wire.make_query(f"n{i}.lab.example", ident=i + 1))
        bad.send(wire.make_query(f"x.{word}.lab.example", ident=99))
        for _ in range(20):
            answer = client.receive(4.6)
            assert answer is not None and read(answer).rcode() == 0
        answer = bad.receive(4.6)
        assert answer is not None and read(answer).rcode() in (0, wire.SERVFAIL)
    assert right(stack.ask("after.lab.example"), "after.lab.example")


@pytest.mark.parametrize("word", ["closeafter", "rstafter", "drip-1", "dup.ontcp", "delay-300", "noedns",
                                  "keepalive-2"])
def test_true_answer(build, word):
    stack = build(tcp=True)
    name = f"t.{word}.lab.example"
    assert right(stack.ask(name, edns=1232), name)
    assert right(stack.ask("u.lab.example"), "u.lab.example")


def test_server_keepalive_is_kept(build):
    """RFC 7828: the server says 500 ms; no query is lost to a connection that it closed."""
    stack = build(tcp=True)
    stack.ask("k.keepalive-5.lab.example")
    time.sleep(0.8)
    assert stack.lab.counters()["connections_open"] == 0


def test_idle_timeout(build):
    stack = build(tcp=True, pool={"idle_timeout": "1s"})
    stack.ask("i.lab.example")
    assert stack.lab.counters()["connections_open"] >= 1
    time.sleep(1.8)
    assert stack.lab.counters()["connections_open"] == 0
    assert sum(p["closed"].get("idle", 0) for p in stack.daemon.statistics()["pools"]) >= 1


def test_waits_at_the_ceiling(build):
    """One connection, four queries on it at most: the rest waits and is answered."""
    stack = build(tcp=True, lab={"delay": 20}, pool={"max_connections": 1, "max_inflight": 4,
                                                     "acquire_timeout": "3s"})
    good, _ = burst(stack, "wait", 100)
    assert good == 100
    counters = stack.lab.counters()
    assert counters["connections_peak"] == 1 and counters["peak_pipelined"] <= 4
    assert stack.daemon.total("waited") > 0
    assert stack.daemon.failures("upstream") == 0


def test_ceiling_is_no_upstream_failure(build):
    """Where waiting takes too long, the client hears it at once, and the upstream is not blamed."""
    stack = build(tcp=True, lab={"delay": 300}, pool={"max_connections": 1, "max_inflight": 2,
                                                      "acquire_timeout": "200ms"})
    # The loop probe of the start would take one of the two places.
    assert wait_until(lambda: stack.lab.counters()["loop_probes"] > 0)
    assert wait_until(lambda: stack.daemon.statistics()["pools"][0]["in_flight"] == 0)
    good, last = burst(stack, "shed", 40)
    assert 2 <= good < 40 and last < 4.6
    assert stack.daemon.failures("upstream") == 0
    assert right(stack.ask("after.lab.example"), "after.lab.example")
