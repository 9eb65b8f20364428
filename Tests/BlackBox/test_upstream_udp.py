"""Every misbehaviour of the lab upstream over UDP: what the client sees, and what the upstream was sent."""

import time

import pytest

import wire
from clients import UDPClient, addresses, extended_errors, read


@pytest.fixture(scope="module")
def stack(build_shared):
    return build_shared()


def right(response, name):
    return response is not None and response.rcode() == 0 and addresses(response) == [wire.address4(name)]


# Forged or broken datagrams: none may complete or fail the query; the true answer comes, over TCP where need be.
@pytest.mark.parametrize("word", [
    "wrongid", "wrongquestion", "wrongtype", "wrongopcode", "notresponse", "header", "cut", "badcount", "badpointer",
    "forge-20", "forgeq-20", "wrongid.thenright", "wrongquestion.thenright",
    "garbage.thenright", "short.thenright", "empty.thenright", "wrongsource.thenright", "badcount.thenright",
    "notresponse.thenright", "dup", "tc", "tcfull", "delay-300", "jitter-100", "drop-1", "drop-2",
    "noedns", "notimpedns", "noopt", "unknownopt", "ede-15", "swapcase", "badcookie", "aa", "loss-50",
])
def test_true_answer(stack, word):
    name = f"t.{word}.lab.example"
    begin = time.monotonic()
    response = stack.ask(name, edns=1232)
    assert right(response, name), response
    assert time.monotonic() - begin < 4.2


@pytest.mark.parametrize("word,counter", [("wrongid", "near_misses"), ("wrongquestion", "near_misses"),
                                          ("wrongtype", "near_misses"), ("tc", "truncated")])
def test_goes_to_tcp_at_once(stack, word, counter):
    """A near miss costs a round trip over TCP, not a timeout; it is counted."""
    before = stack.daemon.total(counter, "udp")
    begin = time.monotonic()
    assert right(stack.ask(f"n.{word}.lab.example"), f"n.{word}.lab.example")
    assert time.monotonic() - begin < 0.3
    assert stack.daemon.total(counter, "udp") > before


def test_near_miss_replaces_the_socket(build):
    stack = build()
    stack.ask("a.lab.example")
    stack.ask("b.wrongid.thenright.lab.example")
    for i in range(20):
        assert stack.ask(f"c{i}.lab.example").rcode() == 0
    closed = [p["closed"] for p in stack.daemon.statistics()["pools"] if p["network"] == "udp"]
    assert sum(c.get("suspect", 0) for c in closed) >= 1


@pytest.mark.parametrize("word", ["drop", "dropudp", "wrongsource", "garbage", "short", "empty", "opt2", "wrongid.both",
                                  "garbage.both", "wrongcookie"])
def test_bounded_time(stack, word):
    """Where no true answer can be had, an answer comes all the same, within the deadline of a query."""
    begin = time.monotonic()
    response = stack.ask(f"b.{word}.lab.example", edns=1232)
    assert response is not None and response.rcode() in (0, wire.SERVFAIL)
    assert time.monotonic() - begin < 4.6


def test_drop_says_why(stack):
    response = stack.ask("why.drop.lab.example", edns=1232)
    assert response.rcode() == wire.SERVFAIL and set(extended_errors(response)) & {22, 23}
    assert stack.lab.asked("why.drop.lab.example") <= 6, "at most 3 sends of a question per server and transport"


def test_late_answer_after_the_deadline(build):
    """An answer that comes after all hope meets nobody: neither this client nor the next one on that socket."""
    stack = build(server={"query_deadline": "500ms"}, group={"attempt_timeout": "200ms", "attempts": 2})
    assert stack.ask("late.delay-900.lab.example").rcode() == wire.SERVFAIL
    end = time.monotonic() + 1.2
    count = 0
    while time.monotonic() < end:
        name = f"next{count}.lab.example"
        assert right(stack.ask(name), name)
        count += 1
        time.sleep(0.02)
    assert stack.daemon.total("near_misses", "udp") == 0, "a late answer is no forgery"
    assert stack.daemon.total("late_responses") >= 1


@pytest.mark.parametrize("rcode", [1, 2, 4, 5])
def test_error_codes(stack, rcode):
    response = stack.ask(f"e.rcode-{rcode}.lab.example", edns=1232)
    assert response.rcode() in (rcode, wire.SERVFAIL)


def test_other_codes_pass(stack):
    for rcode in (3, 6, 9):
        assert stack.ask(f"e.rcode-{rcode}.lab.example").rcode() == rcode


def test_huge(stack):
    assert len(addresses(stack.tcp().ask("h.huge-3000.lab.example"))) == 3000


@pytest.mark.parametrize("name,rcode,answers", [("nx.nxdomain", 3, 0), ("nd.nodata", 0, 0), ("ch.cname-5", 0, 6)])
def test_contents(stack, name, rcode, answers):
    response = stack.ask(name + ".lab.example")
    assert response.rcode() == rcode and len(response.answer) == answers


def test_duplicate_answers_are_harmless(stack):
    with UDPClient(stack.port) as client:
        for i in range(50):
            assert right(client.ask(f"d{i}.dup.lab.example"), f"d{i}.dup.lab.example")
        assert client.drain(0.1) == []


def test_loss_is_made_good(build):
    """A fifth of all datagrams lost: the daemon sends again by itself."""
    stack = build(lab={"loss": 20.0})
    with UDPClient(stack.port) as client:
        for i in range(200):
            client.send(wire.make_query(f"loss{i}.lab.example", ident=i + 1))
        answers = [client.receive(5) for _ in range(200)]
    good = sum(a is not None and read(a).rcode() == 0 for a in answers)
    assert good >= 196, f"{good} of 200"


def test_port_closed_fails_fast(build):
    """ICMP says that nobody listens: SERVFAIL at once, and recovery within seconds."""
    stack = build(cache={"failure_ttl": "1s"})
    assert stack.ask("a.lab.example").rcode() == 0
    stack.lab.stop_listening()
    begin = time.monotonic()
    assert stack.ask("b.lab.example").rcode() == wire.SERVFAIL
    assert time.monotonic() - begin < 2.5
    stack.lab.start_listening()
    begin = time.monotonic()
    while stack.ask(f"c{time.monotonic()}.lab.example").rcode() != 0:
        assert time.monotonic() - begin < 10, "a recovered upstream is used again within seconds"
        time.sleep(0.1)


def test_case_loss_is_survived(build):
    """An upstream that always loses letter case: every answer comes, and soon without a detour over TCP."""
    stack = build(lab={"lower_case": True})
    for i in range(30):
        assert right(stack.ask(f"case{i}.lab.example"), f"case{i}.lab.example")
    stack.lab.reset()
    for i in range(30, 50):
        assert right(stack.ask(f"case{i}.lab.example"), f"case{i}.lab.example")
    assert stack.lab.counters()["tcp"] == 0 and stack.lab.counters()["udp"] == 20


def test_case_is_randomised(build):
    stack = build()
    for i in range(10):
        stack.ask(f"mixed-letters-{i}.lab.example")
    assert stack.lab.counters()["case_mixed"] == 10
    off = build(dns={"case_randomization": "off"})
    off.ask("lower.lab.example")
    assert off.lab.counters()["case_mixed"] == 0


def test_cookies(build):
    """RFC 7873: a client cookie goes out, the server's comes back with the next query; off means off."""
    stack = build(lab={"cookies": True})
    for i in range(10):
        assert right(stack.ask(f"cookie{i}.lab.example"), f"cookie{i}.lab.example")
    counters = stack.lab.counters()
    assert counters["with_cookie"] == 10 and counters["with_server_cookie"] >= 8
    off = build(dns={"cookies": False})
    off.ask("nocookie.lab.example")
    assert off.lab.counters()["with_cookie"] == 0


def test_no_edns_server(build):
    stack = build(lab={"no_edns": True})
    for i in range(10):
        assert right(stack.ask(f"plain{i}.lab.example", edns=1232), f"plain{i}.lab.example")


def test_ids_and_ports(build):
    """300 queries one after another: random ids, at least ten ports, and no two queries alike on one port."""
    stack = build()
    with UDPClient(stack.port) as client:
        for i in range(300):
            assert client.ask(f"seq{i}.lab.example").rcode() == 0
    counters = stack.lab.counters()
    assert counters["distinct_ports"] >= 10, counters["ports"]
    assert counters["distinct_ids"] > 290 and counters["id_repeats"] == 0
    assert counters["udp"] == 300 and counters["tcp"] == 0
    assert max(counters["ports"].values()) <= 64
