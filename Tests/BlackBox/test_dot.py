"""DNS over TLS upstreams: what a good connection does, and every misbehaviour that TCP has, under TLS (RFC 7858)."""

import time

import pytest

import certs
import wire
from bursts import burst, pool, right, wait_until, well_again
from clients import UDPClient, read


@pytest.mark.parametrize("options,connections", [
    ({}, 10), ({"delay": 50}, 10), ({"out_of_order": True}, 10), ({"in_order": True, "jitter": 30}, 10),
    ({"drip": 400, "drip_ms": 1}, 10), ({"half_close": 20}, 40), ({"close_after": 20}, 40), ({"rst_after": 20}, 40),
    ({"close_after": 20, "no_notice": True}, 40), ({"record_size": 1}, 10), ({"jitter": 100}, 10), ({"tls": "1.2"}, 10),
    ({"tls": "1.3"}, 10), ({"tickets": 0}, 10), ({"no_alpn": True}, 10), ({"handshake_delay": 200}, 10),
])
def test_burst(build, options, connections):
    """100 queries at once: all answered, over few connections, whatever the server does to those."""
    stack = build(transport="tls", lab=options)
    good, last = burst(stack, "b", 100)
    assert good == 100 and last < 4.5
    counters = stack.lab.counters()
    assert counters["connections_opened"] <= connections and counters["connections_peak"] <= 10
    assert counters["udp"] == counters["tcp"] == 0, "clear text"
    assert counters["handshake_failures"] == {}


def test_one_good_connection(build):
    """ALPN, SNI, padding to blocks of 128, EDNS keepalive asked for, one handshake, close_notify at the end."""
    stack = build(transport="tls")
    for i in range(50):
        assert right(stack.ask(f"r{i}.lab.example"), f"r{i}.lab.example")
    assert right(stack.ask("with-a-rather-long-name-to-be-padded.lab.example", edns=1232, do=True),
                 "with-a-rather-long-name-to-be-padded.lab.example")
    counters = stack.lab.counters()
    assert counters["connections_opened"] <= 2 and counters["handshakes"] == counters["connections_opened"]
    assert set(counters["alpn"]) == {"dot"} and set(counters["server_names"]) == {certs.NAME}
    assert set(counters["tls_versions"]) == {"TLSv1.3"}
    assert all(int(size) % 128 == 0 for size in counters["query_sizes"]), counters["query_sizes"]
    assert counters["options"]["12"] == 51
    # RFC 7828 section 3.2.1: the client may ask once on a connection.
    assert counters["keepalives_asked"] >= 1
    assert pool(stack, "tls")["reused"] >= 48
    stack.daemon.stop()
    assert wait_until(lambda: stack.lab.counters()["connections_open"] == 0)
    counters = stack.lab.counters()
    assert counters["close_notifies"] == counters["connections_opened"]


def test_padding_off(build):
    stack = build(transport="tls", dns={"padding": 0})
    assert right(stack.ask("p.lab.example"), "p.lab.example")
    assert "12" not in stack.lab.counters()["options"]


def test_a_batch_is_one_record(build):
    """The queries that arrive together leave in few records."""
    stack = build(transport="tls", lab={"delay": 50})
    assert burst(stack, "warm", 1)[0] == 1
    stack.lab.reset()
    assert burst(stack, "batch", 100)[0] == 100
    counters = stack.lab.counters()
    assert counters["frames"] == 100 and counters["records"] <= 70 and counters["frames_per_record_peak"] >= 2


@pytest.mark.parametrize("options", [
    {"close_after": 1}, {"close_after": 1, "no_notice": True}, {"rst_after": 1}, {"close_idle": 0.05},
    {"close_idle": 0.05, "no_notice": True}, {"half_close": 1}, {"close_after": 1, "tls": "1.2"},
])
def test_one_after_another(build, options):
    """The connection is gone after each answer: the next query finds out and is asked on a fresh one, without loss."""
    stack = build(transport="tls", lab=options)
    for i in range(15):
        begin = time.monotonic()
        assert right(stack.ask(f"o{i}.lab.example"), f"o{i}.lab.example")
        assert time.monotonic() - begin < 1
        time.sleep(0.06 if "close_idle" in options else 0)
    counters = stack.lab.counters()
    assert counters["connections_opened"] <= 32
    assert "tls" in options or counters["tickets_reused"] == 0
    # Handshakes side by side may use up the tickets; most of them must be resumed.
    assert counters["resumed"] >= counters["handshakes"] // 2, counters


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_resumption_after_an_idle_close(build, version):
    """The server closes an idle connection without notice: the next query resumes a session, each ticket once."""
    stack = build(transport="tls", lab={"tls": version, "close_idle": 0.2, "no_notice": True}, pool={"prewarm": 0})
    for i in range(4):
        assert right(stack.ask(f"i{i}.lab.example"), f"i{i}.lab.example")
        assert wait_until(lambda: stack.lab.counters()["connections_open"] == 0)
    counters = stack.lab.counters()
    assert counters["handshakes"] == 4 and counters["resumed"] == 3
    # With TLS 1.2 a resumed session gets no new ticket; used again it tells an observer nothing that is not in clear.
    assert version == "1.2" or counters["tickets_reused"] == 0


def test_forgotten_tickets(build):
    """The server knows our tickets no more: a full handshake, and nobody notices."""
    stack = build(transport="tls", lab={"close_after": 1}, pool={"prewarm": 0})
    assert stack.ask("t1.lab.example").rcode() == 0
    stack.lab.forget_tickets()
    assert right(stack.ask("t2.lab.example"), "t2.lab.example")
    assert stack.lab.counters()["handshake_failures"] == {}


def test_resumption_off(build):
    stack = build(transport="tls", lab={"close_after": 1}, tls={"resumption": False})
    for i in range(5):
        assert right(stack.ask(f"n{i}.lab.example"), f"n{i}.lab.example")
    counters = stack.lab.counters()
    assert counters["resumed"] == 0 and counters["tickets_offered"] == 0


def test_all_pooled_connections_stale(build):
    """Every pooled connection was closed while idle: the next queries succeed on fresh ones."""
    stack = build(transport="tls", lab={"delay": 30})
    assert burst(stack, "warm", 60)[0] == 60
    for reset in (False, True):
        stack.lab.drop_connections(reset=reset)
        good, last = burst(stack, f"after{reset}", 60)
        assert good == 60 and last < 1.5
    assert stack.daemon.failures("local") == 0


@pytest.mark.parametrize("options,faults", [
    ({"close_at_once": True}, ("upstream",)), ({"silent": True}, ("upstream", "path", "name")),
    ({"never_read": True}, ("upstream", "path", "name")), ({"refuse_tcp": True}, ("upstream",)),
])
def test_no_answer_to_be_had(build, options, faults):
    """SERVFAIL within the deadline; and when the server is well again it is used again within seconds."""
    stack = build(transport="tls", lab=options, cache={"failure_ttl": "1s"})
    begin = time.monotonic()
    assert stack.ask("n.lab.example").rcode() == wire.SERVFAIL
    assert time.monotonic() - begin < 4.6
    assert any(stack.daemon.failures(fault) for fault in faults), stack.daemon.statistics()
    assert stack.daemon.failures("local") == 0
    stack.lab.set(**{name: False for name in options})
    stack.lab.drop_connections()
    assert well_again(stack)


@pytest.mark.parametrize("word", ["close", "rst", "zerolen", "longlen", "garbage.ontcp", "short.ontcp",
                                  "wrongid.ontcp", "wrongquestion.ontcp.thenright", "tc.ontcp", "empty.ontcp",
                                  "header.ontcp"])
def test_bad_name_on_a_shared_connection(build, word):
    """A name that breaks the connection: it gets an answer in bounded time, its neighbours get theirs."""
    stack = build(transport="tls", lab={"delay": 20})
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
    assert stack.lab.counters()["connections_opened"] <= 20


@pytest.mark.parametrize("word", ["closeafter", "rstafter", "drip-1", "dup.ontcp", "delay-300", "noedns",
                                  "keepalive-2", "huge-500", "rcode-0"])
def test_true_answer(build, word):
    stack = build(transport="tls")
    name = f"t.{word}.lab.example"
    with stack.tcp() as client:
        response = client.ask(name, edns=1232)
    assert response.rcode() == 0
    assert "huge" in word or word == "rcode-0" or right(response, name)
    assert right(stack.ask("u.lab.example"), "u.lab.example")


def test_server_keepalive_is_kept(build):
    """RFC 7828: the server says 500 ms; no query is lost to a connection that it closed."""
    stack = build(transport="tls")
    stack.ask("k.keepalive-5.lab.example")
    assert wait_until(lambda: stack.lab.counters()["connections_open"] == 0, 1.5)
    assert stack.lab.counters()["close_notifies"] >= 1


def test_idle_timeout(build):
    stack = build(transport="tls", pool={"idle_timeout": "1s"})
    stack.ask("i.lab.example")
    assert stack.lab.counters()["connections_open"] >= 1
    assert wait_until(lambda: stack.lab.counters()["connections_open"] == 0, 2.5)
    assert pool(stack, "tls")["closed"]["idle"] >= 1


def test_waits_at_the_ceiling(build):
    """One connection, four queries on it at most: the rest waits, joins the one handshake, and is answered."""
    stack = build(transport="tls", lab={"delay": 20, "handshake_delay": 100},
                  pool={"max_connections": 1, "max_inflight": 4, "acquire_timeout": "3s"})
    assert burst(stack, "wait", 100)[0] == 100
    counters = stack.lab.counters()
    assert counters["connections_peak"] == 1 and counters["peak_pipelined"] <= 4 and counters["handshakes"] == 1
    assert stack.daemon.failures("upstream") == 0


def test_handshakes_are_limited(build):
    """A server that closes every connection after the handshake is not stormed with handshakes."""
    stack = build(transport="tls", lab={"close_after": 1})
    begin = time.monotonic()
    with UDPClient(stack.port) as client:
        for i in range(1000):
            client.send(wire.make_query(f"storm{i}.drop.lab.example", ident=i))
            time.sleep(0.001)
        client.drain(0.5)
    assert stack.lab.counters()["handshakes"] <= 60 + 40 * (time.monotonic() - begin)
