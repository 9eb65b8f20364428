"""Stale answers and early refreshes (RFC 8767): what a client gets while the upstream is gone, and when fresh ones."""

import time

import pytest

import wire
from bursts import right, wait_until, well_again
from clients import UDPClient, addresses, extended_errors

STALE, STALE_NXDOMAIN = 3, 19


def start(build, labs=1, **keywords):
    cache = {"stale": "1h", "stale_after": "500ms", "stale_ttl": "30s", **keywords.pop("cache", {})}
    return build(labs=labs, cache=cache, health={"mode": "lazy", "backoff_max": "2s"}, **keywords)


def hole(stack, is_closed):
    """The upstream hears nothing: silent, or with nobody at its port."""
    for lab in stack.labs:
        if is_closed:
            lab.stop_listening()
        else:
            lab.set(silent=True)


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("is_closed", [False, True], ids=["silent", "refused"])
def test_stale_answer(build, is_closed, tcp):
    """The old answer within two seconds, marked; at once where it is known that nobody answers."""
    stack = start(build, tcp=tcp)
    name, gone = "s.ttl-1.lab.example", "s.nxdomain.soattl-1.soamin-1.lab.example"
    assert stack.ask(name).rcode() == 0 and stack.ask(gone).rcode() == wire.NXDOMAIN
    hole(stack, is_closed)
    time.sleep(1.3)
    for question, rcode, code in ((name, 0, STALE), (gone, wire.NXDOMAIN, STALE_NXDOMAIN)):
        begin = time.monotonic()
        response = stack.ask(question, edns=1232)
        assert time.monotonic() - begin < 2
        assert response.rcode() == rcode and extended_errors(response) == [code], response
    assert addresses(stack.ask(name)) == [wire.address4(name)]
    response = stack.ask(name, edns=1232)
    assert response.answer[0].ttl <= 30
    engine = stack.daemon.statistics()["engine"]
    assert engine["stale"] == 4 and engine["failed"] == 0, engine


def test_recovery_gives_fresh(build):
    stack = start(build)
    name = "r.ttl-1.count.lab.example"
    assert addresses(stack.ask(name)) == ["198.51.100.1"]
    stack.lab.set(silent=True)
    time.sleep(1.3)
    old = stack.ask(name, edns=1232)
    assert addresses(old) == ["198.51.100.1"] and extended_errors(old) == [STALE]
    stack.lab.set(silent=False)
    assert well_again(stack, 6)
    assert wait_until(lambda: not extended_errors(stack.ask(name, edns=1232)), 4)
    assert addresses(stack.ask(name)) != ["198.51.100.1"]


def test_servfail_is_hidden_by_stale(build):
    """An error of the upstream counts as no answer while something better is kept (RFC 8767 section 4)."""
    stack = start(build)
    name = "e.ttl-1.lab.example"
    assert stack.ask(name).rcode() == 0
    stack.lab.set(rcode=2)
    time.sleep(1.3)
    begin = time.monotonic()
    response = stack.ask(name, edns=1232)
    assert time.monotonic() - begin < 0.5
    assert right(response, name) and extended_errors(response) == [STALE]


def test_slow_answer_is_fetched_behind(build):
    """stale_after: the client has the old answer, the cache gets the new one, for one question upstream."""
    stack = start(build, cache={"stale_after": "200ms"})
    name = "b.ttl-2.count.lab.example"
    assert addresses(stack.ask(name)) == ["198.51.100.1"]
    stack.lab.set(delay=700)
    time.sleep(2.3)
    begin = time.monotonic()
    response = stack.ask(name, edns=1232)
    assert 0.15 < time.monotonic() - begin < 0.6
    assert addresses(response) == ["198.51.100.1"] and extended_errors(response) == [STALE]
    time.sleep(0.9)
    response = stack.ask(name, edns=1232)
    assert addresses(response) != ["198.51.100.1"] and not extended_errors(response)


def test_at_once_and_refresh_behind(build):
    """stale_after = "0s"."""
    stack = start(build, cache={"stale_after": "0s"})
    name = "z.ttl-1.count.lab.example"
    stack.ask(name)
    stack.lab.set(delay=300)
    time.sleep(1.3)
    begin = time.monotonic()
    response = stack.ask(name, edns=1232)
    assert time.monotonic() - begin < 0.2 and extended_errors(response) == [STALE]
    assert wait_until(lambda: stack.lab.asked(name) == 2)


def test_refreshes_are_few(build):
    """While nobody answers, a name that many ask for goes upstream seldom."""
    stack = start(build)
    name = "q.ttl-1.lab.example"
    stack.ask(name)
    stack.lab.set(silent=True)
    time.sleep(1.3)
    for i in range(60):
        assert stack.ask(name).rcode() == 0
        time.sleep(0.02)
    assert stack.lab.asked(name) <= 8


@pytest.mark.parametrize("when_down", ["servfail", "stale"])
def test_when_down(build, when_down):
    """when_down = "servfail": while every member is down, no stale answers."""
    stack = start(build, group={"when_down": when_down})
    name = "w.ttl-1.lab.example"
    stack.ask(name)
    stack.lab.stop_listening()
    for i in range(6):
        stack.ask(f"other{i}.lab.example", seconds=6)
    time.sleep(1)
    response = stack.ask(name, edns=1232, seconds=6)
    assert response.rcode() == (wire.SERVFAIL if when_down == "servfail" else 0), response


def test_stale_ends(build):
    """Past `stale` an answer is worth nothing."""
    stack = start(build, cache={"stale": "1s"})
    name = "x.ttl-1.lab.example"
    stack.ask(name)
    stack.lab.stop_listening()
    time.sleep(2.6)
    assert stack.ask(name, seconds=6).rcode() == wire.SERVFAIL


def test_off(build):
    stack = start(build, cache={"stale": "0s"})
    name = "o.ttl-1.lab.example"
    stack.ask(name)
    stack.lab.stop_listening()
    time.sleep(1.3)
    assert stack.ask(name, seconds=6).rcode() == wire.SERVFAIL


def test_prefetch(build):
    """A popular answer is asked for again before its end: nobody waits for it. One that nobody asks for is not."""
    stack = start(build, cache={"prefetch": "50%", "prefetch_min_hits": 2})
    popular, lonely = "p.ttl-4.count.lab.example", "l.ttl-4.count.lab.example"
    stack.ask(popular)
    stack.ask(lonely)
    with UDPClient(stack.port) as client:
        begin = time.monotonic()
        while time.monotonic() - begin < 3.2:
            assert client.ask(popular).rcode() == 0
            time.sleep(0.1)
    assert stack.lab.asked(popular) == 2, "once, before its end"
    assert stack.lab.asked(lonely) == 1
    assert addresses(stack.ask(popular)) == ["198.51.100.2"]
    found = stack.daemon.statistics()
    assert found["engine"]["prefetches"] == 1
    assert found["upstreams"][0]["extras"]["prefetch"] == 1
