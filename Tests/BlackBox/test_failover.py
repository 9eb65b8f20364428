"""Several upstreams: which one is asked, and what happens when it fails."""

import time

import pytest

import wire
from clients import UDPClient, addresses, read


def right(response, name):
    return response is not None and response.rcode() == 0 and addresses(response) == [wire.address4(name)]


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("options", [{"rcode": 2}, {"rcode": 5}, {"rcode": 4}, {"rcode": 1}, {"silent": True}])
def test_next_member_answers(build, options, tcp):
    """SERVFAIL, REFUSED, NOTIMP, FORMERR and silence of the first member: the second answers."""
    stack = build(lab=[options, {}], tcp=tcp)
    begin = time.monotonic()
    assert right(stack.ask("a.lab.example"), "a.lab.example")
    assert time.monotonic() - begin < 2.5
    if "rcode" in options:
        assert time.monotonic() - begin < 0.5


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_dead_first_member(build, tcp):
    """Nobody listens at the first: the first answer within 2.5 s, the later ones as if it did not exist."""
    dead = build.lab()
    dead.stop_listening()
    alive = build.lab()
    urls = [dead.tcp_url, alive.tcp_url] if tcp else [dead.url, alive.url]
    build.daemon(urls)
    stack = build.stacks[-1]
    begin = time.monotonic()
    assert right(stack.ask("first.lab.example"), "first.lab.example")
    assert time.monotonic() - begin < 2.5
    begin = time.monotonic()
    for i in range(20):
        assert right(stack.ask(f"later{i}.lab.example"), f"later{i}.lab.example")
    assert time.monotonic() - begin < 2.5


def test_nxdomain_is_an_answer(build):
    stack = build(labs=2)
    assert stack.ask("x.nxdomain.lab.example").rcode() == 3
    assert stack.labs[1].counters()["queries"] == 0


def test_all_members_fail(build):
    stack = build(lab=[{"rcode": 2}, {"rcode": 2}])
    begin = time.monotonic()
    assert stack.ask("x.lab.example").rcode() == wire.SERVFAIL
    assert time.monotonic() - begin < 1
    assert all(lab.counters()["queries"] >= 1 for lab in stack.labs)


def test_failing_names_do_not_condemn(build):
    """A storm of names that fail (SERVFAIL, or no answer) leaves the upstream good for all others."""
    stack = build()
    with UDPClient(stack.port) as storm:
        for i in range(300):
            storm.send(wire.make_query(f"bad{i}.rcode-2.lab.example", ident=i))
        for i in range(50):
            storm.send(wire.make_query(f"bad{i}.drop.lab.example", ident=1000 + i))
        for i in range(50):
            begin = time.monotonic()
            assert right(stack.ask(f"good{i}.lab.example"), f"good{i}.lab.example")
            assert time.monotonic() - begin < 1
            time.sleep(0.02)


def test_round_robin(build):
    stack = build(labs=3, group={"strategy": "round-robin"})
    for i in range(60):
        assert stack.ask(f"rr{i}.lab.example").rcode() == 0
    assert all(15 <= lab.counters()["queries"] <= 25 for lab in stack.labs)


def test_random(build):
    stack = build(labs=3, group={"strategy": "random"})
    for i in range(90):
        assert stack.ask(f"ra{i}.lab.example").rcode() == 0
    assert all(lab.counters()["queries"] >= 10 for lab in stack.labs)


def test_ordered(build):
    stack = build(labs=3, group={"strategy": "ordered"})
    for i in range(30):
        assert stack.ask(f"or{i}.lab.example").rcode() == 0
    assert [lab.counters()["queries"] for lab in stack.labs] == [30, 0, 0]


def test_fastest(build):
    stack = build(lab=[{"delay": 40}, {"delay": 2}], group={"strategy": "fastest"})
    for i in range(60):
        assert stack.ask(f"fa{i}.lab.example").rcode() == 0
    slow, quick = (lab.counters()["queries"] for lab in stack.labs)
    assert quick > slow * 2


def test_recovery(build):
    """The first member dies and comes back: no client notices more than a retry, and it is used again soon."""
    stack = build(labs=2)
    assert stack.ask("a.lab.example").rcode() == 0
    stack.labs[0].stop_listening()
    for i in range(30):
        assert right(stack.ask(f"b{i}.lab.example"), f"b{i}.lab.example")
    stack.labs[0].start_listening()
    stack.labs[0].reset()
    begin = time.monotonic()
    while not stack.labs[0].counters()["queries"]:
        assert time.monotonic() - begin < 10
        assert stack.ask(f"c{time.monotonic_ns()}.lab.example").rcode() == 0
        time.sleep(0.1)


def test_lossy_first_member(build):
    stack = build(lab=[{"loss": 50.0}, {}])
    with UDPClient(stack.port) as client:
        for i in range(100):
            client.send(wire.make_query(f"loss{i}.lab.example", ident=i))
        answers = [client.receive() for _ in range(100)]
    assert sum(a is not None and read(a).rcode() == 0 for a in answers) >= 98
