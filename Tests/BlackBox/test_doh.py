"""DNS over HTTPS upstreams: good requests, and every misbehaviour of HTTP/2 and of HTTP (RFC 8484, RFC 9113)."""

import time

import pytest

import certs
import wire
from bursts import burst, pool, right, wait_until, well_again
from clients import UDPClient, read


@pytest.mark.parametrize("options,connections", [
    ({}, 10), ({"delay": 50}, 10), ({"jitter": 100}, 10), ({"drip": 400, "drip_ms": 1}, 10), ({"record_size": 1}, 10),
    ({"window": 20}, 10), ({"max_streams": 10, "delay": 20}, 10), ({"goaway_after": 20}, 40),
    ({"goaway_after": 20, "delay": 20}, 60), ({"close_after": 20}, 40), ({"close_after": 20, "no_notice": True}, 40),
    ({"rst_after": 20}, 40), ({"tls": "1.2"}, 10), ({"handshake_delay": 200}, 10),
])
def test_burst(build, options, connections):
    """100 queries at once: all answered, over few connections, whatever the server does to those."""
    stack = build(transport="https", lab=options)
    good, last = burst(stack, "b", 100)
    assert good == 100 and last < 4.5
    counters = stack.lab.counters()
    assert counters["connections_opened"] <= connections and counters["connections_peak"] <= 10
    assert counters["udp"] == counters["tcp"] == counters["tls"] == 0, "another transport"


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_one_good_connection(build, method):
    """Id 0, method, path, content type, :authority with its port, padding, ALPN, SNI, one handshake, close_notify."""
    stack = build(transport="https", upstream={"http_method": method})
    for i in range(50):
        assert right(stack.ask(f"r{i}.lab.example"), f"r{i}.lab.example")
    counters = stack.lab.counters()
    assert counters["connections_opened"] <= 2 and counters["handshakes"] == counters["connections_opened"]
    assert set(counters["alpn"]) == {"h2"} and set(counters["server_names"]) == {certs.NAME}
    requests = 50 + counters["loop_probes"]
    assert counters["methods"] == {method: requests} and counters["paths"] == {"/dns-query": requests}
    assert counters["authorities"] == {f"{certs.NAME}:{stack.lab.https_port}": requests}
    if method == "POST":
        assert counters["content_types"] == {"application/dns-message": requests}
    assert counters["nonzero_ids"] == 0
    assert all(int(size) % 128 == 0 for size in counters["query_sizes"]), counters["query_sizes"]
    assert counters["options"]["12"] == 50 and "11" not in counters["options"], "keepalive has no place in HTTP"
    assert pool(stack, "https")["reused"] >= 48
    stack.daemon.stop()
    assert wait_until(lambda: stack.lab.counters()["connections_open"] == 0)
    counters = stack.lab.counters()
    assert counters["close_notifies"] == counters["connections_opened"]


def test_path_of_the_url(build):
    lab = build.lab(encrypted=True)
    url = lab.https_url.replace("/dns-query", "/a/b-c")
    daemon = build.daemon([url], tls={"ca": certs.shared().ca})
    with UDPClient(daemon.port) as client:
        assert right(client.ask("p.lab.example"), "p.lab.example")
    assert set(lab.counters()["paths"]) == {"/a/b-c"}


def test_one_stream_at_a_time(build):
    """MAX_CONCURRENT_STREAMS 1: one after another on each connection, none refused once the limit is known."""
    stack = build(transport="https", lab={"max_streams": 1, "delay": 5})
    assert stack.ask("first.lab.example").rcode() == 0
    before = stack.lab.counters()["streams_over_limit"]
    assert burst(stack, "one", 60)[0] == 60
    counters = stack.lab.counters()
    assert counters["peak_pipelined"] == 1 and counters["connections_peak"] <= 10
    assert counters["streams_over_limit"] - before <= 2 * counters["connections_opened"]


def test_a_batch_is_one_record(build):
    stack = build(transport="https", lab={"delay": 50})
    assert burst(stack, "warm", 1)[0] == 1
    stack.lab.reset()
    assert burst(stack, "batch", 100)[0] == 100
    counters = stack.lab.counters()
    assert counters["frames"] == 100 and counters["records"] <= 150 and counters["frames_per_record_peak"] >= 2


# What the server does once: the client sees nothing of it. (label, most connections, whether the upstream is blamed)
@pytest.mark.parametrize("label,connections", [
    ("rststream", 2), ("refusestream", 3), ("goaway", 4), ("goawayerror", 4), ("badframe", 4), ("incomplete", 2),
    ("nobody", 2), ("http-500", 2), ("informational", 2), ("trickle-1", 2), ("goawayafter", 4), ("closeafter", 4),
    ("rstafter", 4), ("delay-300", 2), ("age-0", 2),
])
def test_once(build, label, connections):
    """A misbehaviour that does not come again: the true answer, soon."""
    stack = build(transport="https", labs=2)
    name = f"t.once.{label}.lab.example"
    begin = time.monotonic()
    assert right(stack.ask(name), name)
    assert time.monotonic() - begin < 2.5
    assert right(stack.ask("u.lab.example"), "u.lab.example")
    assert sum(lab.counters()["connections_opened"] for lab in stack.labs) <= connections + 2
    assert stack.daemon.failures("local") == 0


@pytest.mark.parametrize("label", ["refusestream", "goaway"])
def test_refused_costs_nothing(build, label):
    """A request that was not looked at is asked again without a failure on anybody's account (RFC 9113 8.7)."""
    stack = build(transport="https")
    name = f"t.once.{label}.lab.example"
    begin = time.monotonic()
    assert right(stack.ask(name), name)
    assert time.monotonic() - begin < 1
    assert stack.daemon.total("failures") == 0


# What the server always does. (options, a word of the log)
FAILING = [
    ({"http": 400}, "HTTP status 400"), ({"http": 404}, "HTTP status 404"), ({"http": 500}, "HTTP status 500"),
    ({"http": 302}, "HTTP status 302"), ({"http": 429, "retry_after": 1}, "come back"),
    ({"http": 503, "retry_after": 1}, "come back"), ({"http": 503}, "HTTP status 503"),
    ({"content_type": "text/html"}, "wrong content type"),
]


@pytest.mark.parametrize("options,words", FAILING, ids=lambda value: str(value)[:40])
def test_http_errors(build, options, words):
    """SERVFAIL soon and with a reason; the upstream is blamed, the connection kept; then it is used again."""
    stack = build(transport="https", lab=options, cache={"failure_ttl": "1s"})
    begin = time.monotonic()
    assert stack.ask("f.lab.example").rcode() == wire.SERVFAIL
    assert time.monotonic() - begin < 4.6
    assert stack.daemon.wait_for_log(words), stack.daemon.log()[-2000:]
    assert stack.daemon.failures("upstream") >= 1 and stack.daemon.failures("local") == 0
    counters = stack.lab.counters()
    assert counters["connections_opened"] <= 3 and counters["https"] <= 4
    assert "elsewhere" not in stack.daemon.log()
    stack.lab.set(http=200, retry_after=0, content_type="application/dns-message")
    assert well_again(stack)


@pytest.mark.parametrize("options", [options for options, _ in FAILING], ids=str)
def test_next_member_answers(build, options):
    stack = build(transport="https", lab=[options, {}])
    for i in range(10):
        begin = time.monotonic()
        assert right(stack.ask(f"m{i}.lab.example"), f"m{i}.lab.example")
        assert time.monotonic() - begin < 1


def test_retry_after_is_kept(build):
    """503 with Retry-After 2: the server is left alone for that long, then asked again."""
    stack = build(transport="https", lab=[{"http": 503, "retry_after": 2}, {}])
    begin, count = time.monotonic(), 0
    assert stack.ask("first.lab.example").rcode() == 0
    stack.labs[0].set(http=200, retry_after=0)
    asked = stack.labs[0].counters()["https"]
    while time.monotonic() - begin < 1.6:
        count += 1
        assert stack.ask(f"r{count}.lab.example").rcode() == 0
        time.sleep(0.02)
    assert stack.labs[0].counters()["https"] == asked
    assert wait_until(lambda: stack.ask(f"s{time.monotonic_ns()}.lab.example").rcode() == 0
                      and stack.labs[0].counters()["https"] > asked)


def test_endless_body(build):
    """A body without end is cut off at 64 KiB: the stream is reset, the connection and its neighbours live."""
    stack = build(transport="https", lab={"delay": 20})
    with UDPClient(stack.port) as bad:
        bad.send(wire.make_query("x.endless.lab.example", ident=99))
        assert burst(stack, "n", 20)[0] == 20
        answer = bad.receive(4.6)
        assert answer is not None and read(answer).rcode() == wire.SERVFAIL
    assert right(stack.ask("after.lab.example"), "after.lab.example")
    assert stack.daemon.wait_for_log("too long")
    counters = stack.lab.counters()
    assert sum(counters["stream_errors"].values()) >= 1 and counters["connections_opened"] <= 3


@pytest.mark.parametrize("label", [
    "rststream", "refusestream", "goaway", "goawayerror", "badframe", "incomplete", "nobody", "stalled", "ctype",
    "http-400", "http-503", "close", "rst", "drop", "trickle-300", "garbage.ontcp", "wrongquestion.ontcp",
    "wrongid.ontcp", "short.ontcp", "header.ontcp", "notresponse.ontcp",
])
def test_bad_name_on_a_shared_connection(build, label):
    """A name that always fails: an answer in bounded time, few connections, and its neighbours get theirs."""
    stack = build(transport="https", lab={"delay": 20})
    with UDPClient(stack.port) as bad:
        bad.send(wire.make_query(f"x.{label}.lab.example", ident=99))
        good, last = burst(stack, "n", 20)
        assert good == 20 and last < 4.5
        answer = bad.receive(4.6)
        assert answer is not None and read(answer).rcode() in (0, wire.SERVFAIL)
    assert right(stack.ask("after.lab.example"), "after.lab.example")
    assert stack.lab.counters()["connections_opened"] <= 20
    assert stack.daemon.failures("local") == 0


@pytest.mark.parametrize("label,most", [
    ("age-100.ttl-300", 200), ("maxage-5.ttl-300", 5), ("age-3.maxage-10.ttl-300", 7), ("ttl-50", 50),
    ("maxage-5000.ttl-60", 60), ("age-100.ttl-60", 1),
])
def test_age(build, label, most):
    """Age and max-age lower the TTLs that clients see (RFC 8484 section 5.1)."""
    stack = build(transport="https")
    ttl = stack.ask(f"a.{label}.lab.example").answer[0].ttl
    assert most - 2 <= ttl <= most


def test_large_answers(build):
    """Flow control toward us: many answers of 60 KB do not stop the connection."""
    stack = build(transport="https")
    with stack.tcp() as client:
        for i in range(60):
            response = client.ask(f"l{i}.huge-3500.lab.example", edns=1232)
            assert response.rcode() == 0 and len(response.answer[0]) == 3500
    assert stack.lab.counters()["connections_opened"] <= 2


@pytest.mark.parametrize("options,faults", [
    ({"close_at_once": True}, ("upstream",)), ({"silent": True}, ("upstream", "path", "name")),
    ({"never_read": True}, ("upstream", "path", "name")), ({"refuse_tcp": True}, ("upstream",)),
])
def test_no_answer_to_be_had(build, options, faults):
    stack = build(transport="https", lab=options, cache={"failure_ttl": "1s"})
    begin = time.monotonic()
    assert stack.ask("n.lab.example").rcode() == wire.SERVFAIL
    assert time.monotonic() - begin < 4.6
    assert any(stack.daemon.failures(fault) for fault in faults), stack.daemon.statistics()
    assert stack.daemon.failures("local") == 0
    stack.lab.set(**{name: False for name in options})
    stack.lab.drop_connections()
    assert well_again(stack)


@pytest.mark.parametrize("options", [
    {"close_after": 1}, {"close_after": 1, "no_notice": True}, {"rst_after": 1}, {"close_idle": 0.05},
    {"close_idle": 0.05, "no_notice": True}, {"goaway_after": 1},
])
def test_one_after_another(build, options):
    """The connection is gone after each answer: the next query is asked on a fresh one, without loss."""
    stack = build(transport="https", lab=options)
    for i in range(15):
        begin = time.monotonic()
        assert right(stack.ask(f"o{i}.lab.example"), f"o{i}.lab.example")
        assert time.monotonic() - begin < 1
        time.sleep(0.06 if "close_idle" in options else 0)
    counters = stack.lab.counters()
    assert counters["connections_opened"] <= 32 and counters["tickets_reused"] == 0
    assert counters["resumed"] >= counters["handshakes"] // 2, counters


def test_ping_only_tests_a_silence(build):
    """No PING while answers come."""
    stack = build(transport="https", lab={"delay": 5})
    for i in range(50):
        assert stack.ask(f"g{i}.lab.example").rcode() == 0
    assert stack.lab.counters()["pings"] == 0
