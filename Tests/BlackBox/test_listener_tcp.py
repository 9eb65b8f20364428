"""The TCP listener (RFC 7766): pipelining, any cut of the stream, limits that hold, clients that do not behave."""

import socket
import time

import pytest

import wire
from clients import TCPClient, UDPClient, addresses, read


@pytest.fixture(scope="module")
def stack(build_shared):
    return build_shared()


def queries(prefix, count):
    return [wire.make_query(f"{prefix}{i}.lab.example", ident=i + 1) for i in range(count)]


def collect(client, count):
    """{id: parsed response} of the next responses."""
    found = {}
    for _ in range(count):
        message = client.receive()
        assert message is not None, f"closed after {len(found)} of {count}"
        response = read(message)
        found[response.id] = response
    return found


def check(found, prefix):
    for ident, response in found.items():
        assert addresses(response) == [wire.address4(f"{prefix}{ident - 1}.lab.example")]


def test_coalesced_frames(stack):
    client = stack.tcp()
    client.send(b"".join(wire.frame(m) for m in queries("pipe", 50)))
    found = collect(client, 50)
    assert len(found) == 50
    check(found, "pipe")


def test_octet_by_octet(stack):
    client = stack.tcp()
    for octet in b"".join(wire.frame(m) for m in queries("slow", 2)):
        client.send(bytes([octet]))
        time.sleep(0.001)
    check(collect(client, 2), "slow")


@pytest.mark.parametrize("cut", [1, 2, 3, 13, 14, 15, 30])
def test_split_frames(stack, cut):
    client = stack.tcp()
    octets = b"".join(wire.frame(m) for m in queries(f"cut{cut}x", 5))
    for at in range(0, len(octets), cut):
        client.send(octets[at:at + cut])
    check(collect(client, 5), f"cut{cut}x")


def test_answers_out_of_order(stack):
    """A slow name does not hold up the quick one behind it (RFC 7766 6.2.1.1)."""
    client = stack.tcp()
    client.send_query("first.delay-400.lab.example", ident=1)
    client.send_query("second.lab.example", ident=2)
    assert read(client.receive()).id == 2
    assert read(client.receive()).id == 1


def test_half_close_by_the_client(stack):
    """A client that sends, then shuts down its side, still gets all its answers."""
    client = stack.tcp()
    client.send(b"".join(wire.frame(m) for m in [
        wire.make_query("half1.delay-150.lab.example", ident=1), wire.make_query("half2.lab.example", ident=2)]))
    client.socket.shutdown(socket.SHUT_WR)
    assert set(collect(client, 2)) == {1, 2}
    assert client.receive() is None


def test_long_answer(stack):
    response = stack.tcp().ask("long.huge-2000.lab.example", edns=512)
    assert len(addresses(response)) == 2000


def test_zero_and_short_frames(stack):
    """A frame that cannot be a message ends the connection, or is ignored; others are not touched."""
    for octets in (b"\0\0", b"\0\1x", wire.frame(b"x" * 11)):
        with TCPClient(stack.port) as bad, TCPClient(stack.port) as good:
            bad.send(octets)
            assert good.ask("good.lab.example").rcode() == 0
            if not bad.closed_within(0.2):
                assert bad.ask("bad.lab.example").rcode() == 0


def test_axfr_refused(stack):
    assert stack.tcp().ask("lab.example", 252).rcode() == wire.REFUSED


def test_idle_timeout_and_keepalive(build):
    stack = build(server={"tcp_idle_timeout": "1s"})
    client = stack.tcp()
    response = client.ask("idle.lab.example", edns=1232, options=[(11, b"")])
    keepalive = [bytes(o.to_wire()) for o in response.options if int(o.otype) == 11]
    assert keepalive == [b"\0\x0a"], "RFC 7828: our idle timeout in units of 100 ms"
    begin = time.monotonic()
    assert client.closed_within(4)
    assert 0.7 < time.monotonic() - begin < 2.5
    # A query in flight is not idleness.
    other = stack.tcp()
    assert other.ask("wait.delay-1500.lab.example").rcode() == 0


def test_keepalive_never_over_udp(stack):
    with UDPClient(stack.port) as client:
        response = client.ask("keepalive.lab.example", edns=1232, options=[(11, b"")])
        assert not [o for o in response.options if int(o.otype) == 11]


def test_slow_message(build):
    """A message that arrives too slowly ends the connection, though octets keep coming."""
    stack = build(server={"tcp_idle_timeout": "1s"})
    client = stack.tcp()
    message = wire.frame(wire.make_query("drip.lab.example", edns=1232))
    begin, closed = time.monotonic(), False
    try:
        for octet in message:
            client.send(bytes([octet]))
            if client.closed_within(0.25):
                closed = True
                break
            if time.monotonic() - begin > 6:
                break
    except OSError:
        closed = True
    assert closed and time.monotonic() - begin < 6


def test_too_many_clients(build):
    """Above tcp_max_clients somebody is turned away, and room that comes free is used."""
    stack = build(server={"tcp_max_clients": 5})
    time.sleep(0.1)  # the probe of the start must be gone
    held = [stack.tcp() for _ in range(5)]
    assert all(c.ask(f"many{i}.lab.example").rcode() == 0 for i, c in enumerate(held))
    refused = 0
    for i in range(5):
        try:
            with TCPClient(stack.port) as client:
                response = client.ask(f"more{i}.lab.example", seconds=0.5)
                refused += response is None
        except OSError:
            refused += 1
    working = 0
    for client in held:
        try:
            working += client.ask("still.lab.example", seconds=1) is not None
        except OSError:
            pass
    assert refused or working < 5, "ten clients at once with a limit of five"
    for client in held:
        client.close()
    time.sleep(0.1)
    with TCPClient(stack.port) as client:
        assert client.ask("after.lab.example").rcode() == 0
    assert stack.ask("udp.lab.example").rcode() == 0


def test_one_client_does_not_take_all_places(build):
    """A client that holds every connection busy does not shut out another."""
    stack = build(server={"tcp_max_clients": 6, "workers": 1})
    time.sleep(0.1)  # the probe of the start must be gone
    for i in range(6):
        stack.tcp().send_query(f"greedy{i}.drop.lab.example")
    time.sleep(0.2)
    with TCPClient(stack.port, source="127.0.0.2") as other:
        assert other.ask("other.lab.example", seconds=1).rcode() == 0


def test_pipelining_limit(build):
    """More than tcp_max_pipelined queries are held back, not lost."""
    stack = build(server={"tcp_max_pipelined": 10}, lab={"delay": 30})
    client = stack.tcp()
    client.send(b"".join(wire.frame(m) for m in queries("limit", 60)))
    check(collect(client, 60), "limit")
    assert stack.lab.counters()["max_in_flight"] <= 10


def test_client_that_never_reads(build):
    """Large answers to a client that does not read may not grow the daemon."""
    stack = build()
    stack.ask("big.huge-2000.lab.example")
    assert stack.tcp().ask("big.huge-2000.lab.example") is not None
    before = stack.daemon.rss()
    clients = [stack.tcp(receive_buffer=4096) for _ in range(10)]
    message = wire.frame(wire.make_query("big.huge-2000.lab.example"))
    for client in clients:
        client.socket.setblocking(False)
        try:
            for _ in range(3000):
                client.socket.send(message)
        except OSError:
            pass
    with UDPClient(stack.port) as good:
        limit = time.monotonic() + 1.5
        while time.monotonic() < limit:
            assert good.ask("good.lab.example", seconds=1).rcode() == 0
            time.sleep(0.05)
    # 10 clients x 3000 answers x 32 kB would be 960 MB.
    assert stack.daemon.rss() - before < 64 << 20


def test_client_gone_before_the_answer(stack):
    for i in range(20):
        client = TCPClient(stack.port)
        client.send_query(f"gone{i}.delay-50.lab.example")
        client.close()
    time.sleep(0.15)
    assert stack.ask("here.lab.example").rcode() == 0
