"""What protects the daemon and others from its clients: the rate limit with its slip, and server cookies (RFC 7873)."""

import shutil
import subprocess
import time

import pytest

import dns.flags

import wire
from bursts import wait_until
from clients import TCPClient, UDPClient, read, wire_option

CLIENT_COOKIE = b"12345678"


def cookie_of(response):
    found = [bytes(wire_option(option)) for option in response.options if int(option.otype) == wire.OPTION_COOKIE]
    return found[0] if found else None


def flood(client, count, prefix, **keywords):
    """(answers, slips) of `count` queries sent at once."""
    for i in range(count):
        client.send(wire.make_query(f"{prefix}{i % 5}.lab.example", ident=i, **keywords))
    answers = [read(octets) for octets in client.drain(0.4)]
    slips = [answer for answer in answers if answer.flags & dns.flags.TC]
    return [answer for answer in answers if not answer.flags & dns.flags.TC], slips


def test_rate_limit(build):
    """Over the limit every second query is told to come by TCP with an empty answer, the others get nothing."""
    stack = build(server={"rate_limit": "20/s"})
    with UDPClient(stack.port) as client:
        for i in range(5):
            client.ask(f"f{i}.lab.example")
        time.sleep(1.1)
        answers, slips = flood(client, 100, "f")
        assert 18 <= len(answers) <= 40, len(answers)
        over = 100 - len(answers)
        assert over // 2 - 2 <= len(slips) <= over // 2 + 2, (len(answers), len(slips))
        assert all(not slip.answer and slip.rcode() == 0 and slip.question for slip in slips)
    with TCPClient(stack.port) as client:
        for i in range(60):
            assert client.ask(f"t{i}.lab.example", ident=i).rcode() == 0
    engine = stack.daemon.statistics()["engine"]
    assert engine["slipped"] == len(slips) and engine["dropped"]["rate"] == over - len(slips)


def test_rate_limit_by_prefix(build):
    """Another prefix is not limited; the limit ends with the flood."""
    stack = build(server={"rate_limit": "10/s"})
    with UDPClient(stack.port) as loud, UDPClient(stack.port, source="127.0.0.2") as quiet:
        flood(loud, 60, "l")
        assert quiet.ask("quiet.lab.example", seconds=2).answer
        time.sleep(1.2)
        assert loud.ask("loud.lab.example", seconds=2).answer


def test_a_cookie_is_exempt(build):
    """Who shows the cookie that we gave has shown its address, and may ask what it likes; a made-up one helps
    nobody."""
    stack = build(server={"rate_limit": "10/s"})
    with UDPClient(stack.port) as client:
        first = client.ask("c0.lab.example", edns=1232, options=[(wire.OPTION_COOKIE, CLIENT_COOKIE)])
        cookie = cookie_of(first)
        assert len(cookie) == 24 and cookie[:8] == CLIENT_COOKIE
        good = [(wire.OPTION_COOKIE, cookie)]
        answers, slips = flood(client, 100, "c", edns=1232, options=good)
        assert (len(answers), len(slips)) == (100, 0)
        assert all(cookie_of(answer) == cookie for answer in answers)
        time.sleep(1.1)
        forged = [(wire.OPTION_COOKIE, cookie[:16] + b"\xaa" * 8)]
        answers, slips = flood(client, 100, "c", edns=1232, options=forged)
        assert len(answers) < 40 and slips
    with UDPClient(stack.port, source="127.0.0.2") as thief:
        answers, slips = flood(thief, 60, "c", edns=1232, options=good)
        assert len(answers) < 40, "a cookie is worth nothing at another address"


def test_cookie_lengths(build):
    """RFC 7873 section 5.2.2: a malformed COOKIE is a FORMERR; a client part alone gets both parts."""
    stack = build()
    with UDPClient(stack.port) as client:
        for length in (1, 7, 9, 15, 41):
            response = client.ask("m.lab.example", edns=1232, options=[(wire.OPTION_COOKIE, b"x" * length)])
            assert response.rcode() == wire.FORMERR, length
        for length in (8, 16, 32, 40):
            response = client.ask("m.lab.example", edns=1232, options=[(wire.OPTION_COOKIE, b"x" * length)])
            assert response.rcode() == 0 and len(cookie_of(response)) == 24, length
        assert cookie_of(client.ask("m.lab.example", edns=1232)) is None


def test_cookies_are_not_mixed_with_the_upstreams(build):
    """A client's cookie stays here, an upstream's too; also in what the cache gives."""
    stack = build(lab={"cookies": True})
    with UDPClient(stack.port) as client:
        for _ in range(2):
            response = client.ask("u.lab.example", edns=1232, options=[(wire.OPTION_COOKIE, CLIENT_COOKIE)])
            assert cookie_of(response)[:8] == CLIENT_COOKIE
    assert stack.lab.counters()["with_cookie"] == 1


@pytest.mark.skipif(not shutil.which("dig"), reason="dig is not installed")
def test_dig_likes_the_cookie(build):
    """dig says (good) when the client's part came back."""
    stack = build()
    for extra in ([], ["+tcp"]):
        output = subprocess.run(
            ["dig", "@127.0.0.1", "-p", str(stack.port), "+cookie", "+tries=1", *extra, "dig.lab.example"],
            capture_output=True, text=True, timeout=20).stdout
        assert "(good)" in output and "status: NOERROR" in output, output


@pytest.mark.skipif(not shutil.which("dig"), reason="dig is not installed")
def test_dig_reads_the_extended_errors(build):
    """dig and kdig show codes and texts of what we make up."""
    stack = build(route=[{"domains": ["bad.lab.example"], "action": "nxdomain"}],
                  cache={"stale": "1h", "stale_after": "300ms"})
    for tool in filter(shutil.which, ("dig", "kdig")):
        command = [tool, "@127.0.0.1", "-p", str(stack.port), "+edns=0" if tool == "dig" else "+edns", "+tries=1"]
        if tool == "kdig":
            command[-1] = "+retry=0"

        def ask(name):
            return subprocess.run([*command, name], capture_output=True, text=True, timeout=20).stdout

        assert "Blocked" in ask("x.bad.lab.example")
        name = f"{tool}.ttl-1.lab.example"
        assert "NOERROR" in ask(name)
        stack.lab.set(silent=True)
        time.sleep(1.3)
        output = ask(name)
        assert "Stale" in output and "NOERROR" in output, output
        stack.lab.set(silent=False)


def test_overload_answers_hits(build):
    """At max_inflight a miss gets SERVFAIL at once, a hit its answer."""
    stack = build(lab={}, server={"max_inflight": 100, "max_inflight_per_client": 0})
    assert stack.ask("hit.lab.example").rcode() == 0
    stack.lab.set(silent=True)
    with UDPClient(stack.port) as client:
        for i in range(300):
            client.send(wire.make_query(f"o{i}.lab.example", ident=i, edns=1232))
        begin = time.monotonic()
        answers = [read(octets) for octets in client.drain(0.5)]
        assert len(answers) >= 150 and all(answer.rcode() == wire.SERVFAIL for answer in answers)
        assert time.monotonic() - begin < 2
    with UDPClient(stack.port) as client:
        begin = time.monotonic()
        assert client.ask("hit.lab.example").rcode() == 0
        assert time.monotonic() - begin < 0.3
    found = stack.daemon.statistics()
    assert found["engine"]["overloaded"] >= 150 and found["in_flight"] <= 100


def test_joining_what_makes_room(build):
    """The table is full, and the oldest query in it, dropped to make room, is the one that the next client would
    join: that client is answered all the same, and nothing stays behind."""
    stack = build(group={"attempt_timeout": "2s"}, server={"max_inflight": 100, "max_inflight_per_client": 0})
    with UDPClient(stack.port) as crowd, UDPClient(stack.port) as last:
        crowd.send(wire.make_query("oldest.drop.lab.example", ident=1))
        time.sleep(0.2)
        for i in range(99):
            crowd.send(wire.make_query(f"crowd{i}.drop.lab.example", ident=2 + i))
        time.sleep(1.9)
        assert last.ask("oldest.drop.lab.example", seconds=6) is not None
    found = stack.daemon.statistics()
    assert found["engine"]["dropped"]["impatient"] == 1, found["engine"]
    assert wait_until(lambda: stack.daemon.statistics()["in_flight"] == 0, 6)
