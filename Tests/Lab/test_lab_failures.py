"""How a lab upstream fails as a whole, and whether the steady load sees it: black holes, restarts, shares, zones."""

import pathlib
import socket
import sys
import time

import dns.exception
import dns.message
import dns.query
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import wire
from lab import Lab
from steady import SteadyLoad


@pytest.fixture
def lab():
    with Lab(encrypted=True) as lab:
        yield lab


def ask(lab, name, qtype="A", tcp=False, timeout=1):
    send = dns.query.tcp if tcp else dns.query.udp
    return send(dns.message.make_query(name, qtype), lab.address, timeout=timeout, port=lab.port)


def test_black_hole_that_accepts(lab):
    """Silent over UDP, on old connections and on new ones; afterwards new ones are served, and old ones never again."""
    with socket.create_connection((lab.address, lab.port)) as old:
        old.settimeout(0.3)
        question = wire.frame(wire.make_query("a.lab.example"))
        old.sendall(question)
        assert old.recv(1000)
        lab.black_hole()
        for tcp in (False, True):
            with pytest.raises(dns.exception.Timeout):
                ask(lab, "b.lab.example", tcp=tcp, timeout=0.3)
        assert lab.counters()["swallowed"] == 2 and lab.counters()["queries"] == 1
        lab.come_back()
        assert ask(lab, "c.lab.example").answer and ask(lab, "c.lab.example", tcp=True).answer
        old.sendall(question)
        with pytest.raises(TimeoutError):
            old.recv(1000)
    assert lab.counters()["arrived"] == 6


@pytest.mark.parametrize("port", ["port", "tls_port", "https_port"])
def test_deaf_black_hole(lab, port):
    """Handshakes of TCP stay unanswered; afterwards the port accepts, and our own filler is not counted."""
    lab.black_hole(deaf=True)
    with pytest.raises(TimeoutError):
        socket.create_connection((lab.address, getattr(lab, port)), timeout=0.3)
    lab.come_back()
    socket.create_connection((lab.address, getattr(lab, port)), timeout=2).close()
    assert ask(lab, "d.lab.example", tcp=True).answer
    assert lab.counters()["connections_opened"] <= 3


def test_a_restart_ends_a_black_hole(lab):
    lab.black_hole(deaf=True)
    lab.stop_listening()
    lab.start_listening()
    assert ask(lab, "e.lab.example").answer and ask(lab, "e.lab.example", tcp=True).answer


@pytest.mark.parametrize("reset", [True, False])
def test_stop(lab, reset):
    """Connections end by reset, or in order; the port refuses both transports until it starts again."""
    with socket.create_connection((lab.address, lab.port), timeout=1) as client:
        ask(lab, "f.lab.example", tcp=True)
        lab.stop_listening(reset=reset)
        if reset:
            with pytest.raises(ConnectionResetError):
                client.recv(10)
        else:
            assert client.recv(10) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((lab.address, lab.port), timeout=1)
    lab.start_listening()
    assert ask(lab, "g.lab.example").answer


def test_slow_share(lab):
    """A share of the answers is late, whatever the name, and the same ones each time."""
    seen = []
    for _ in range(2):
        with Lab(seed=7, slow_share=20.0, slow_delay=60) as slow:
            times = []
            for i in range(60):
                begin = time.monotonic()
                ask(slow, f"h{i}.lab.example")
                times.append(time.monotonic() - begin > 0.055)
            seen.append(times)
    assert seen[0] == seen[1] and 4 <= sum(seen[0]) <= 22


def test_zone_that_fails(lab):
    lab.set(fail_zone="bad.example")
    assert [ask(lab, name).rcode() for name in ("x.bad.example", "BAD.example", "x.good.example")] == [2, 2, 0]
    assert lab.counters()["failed_zone"] == 2


def test_probes_are_counted_apart(lab):
    assert ask(lab, ".", "NS").answer
    assert ask(lab, "0123456789abcdefABCDEF0123456789", "HINFO").rcode() == 3
    assert ask(lab, "0123456789abcdefABCDEF0123456789", "TXT").answer
    counters = lab.counters()
    names = ("queries", "probes", "loop_probes", "answered", "max_in_flight")
    assert [counters[name] for name in names] == [1, 1, 1, 1, 1]
    lab.set(rcode=5)
    assert ask(lab, ".", "NS").rcode() == 5
    lab.set(silent=True)
    with pytest.raises(dns.exception.Timeout):
        ask(lab, ".", "NS", timeout=0.2)
    assert lab.counters()["probes"] == 3


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_steady_load(lab, transport):
    """What the load says of an upstream that answers, is silent for a while, and answers again."""
    lab.set(delay=5)
    record = SteadyLoad(lab.port, rate=200, sockets=10, transport=transport, events=[
        (0.5, lambda: lab.set(silent=True)), (1.0, lambda: lab.set(silent=False))]).run(1.5)
    assert len(record.queries) == 300 and {q.rcode for q in record.queries} == {0, None}
    begin, end = record.events[0.5], record.events[1.0]
    assert not record.between(0, begin - 0.05).failed and not record.between(end).failed
    assert len(record.between(begin, end - 0.05).failed) >= 80
    assert record.between(0, begin - 0.05).median() < 0.1 and record.between(begin, end - 0.05).median() == 5
    assert record.first_right(begin) > 0.4 and record.first_right(end) < 0.2 and record.longest_gap(0, 1.5) > 0.4


def test_steady_load_tries_again(lab):
    """A retrying client is content with the answer to its second question, and waits no longer than ten seconds."""
    lab.set(silent=True)
    record = SteadyLoad(lab.port, rate=20, sockets=5, retry=True, events=[
        (2, lambda: lab.set(silent=False))]).run(0.5)
    assert not record.failed and all(q.sends == 2 and q.latency > 4.9 for q in record.queries)


def test_steady_load_knows_wrong_answers(lab):
    lab.set(addresses="198.51.100.1")
    record = SteadyLoad(lab.port, rate=100, sockets=5).run(0.2)
    assert len(record.failed) == 20 and {q.rcode for q in record.queries} == {0}
