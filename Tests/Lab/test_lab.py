"""The lab upstream tested by itself, with raw sockets and dnspython: does it do what a name asks for?"""

import json
import pathlib
import socket
import struct
import sys
import time

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import wire
from lab import Lab


@pytest.fixture(scope="module")
def shared():
    with Lab() as lab:
        yield lab


@pytest.fixture
def lab(shared):
    shared.reset()
    return shared


def ask(lab, name, qtype="A", tcp=False, **keywords):
    query = dns.message.make_query(name, qtype, **keywords)
    send = dns.query.tcp if tcp else dns.query.udp
    return send(query, lab.address, timeout=2, port=lab.port)


def raw(lab, name, count=1, wait=0.3, **keywords):
    """The datagrams that come back for one query."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(wait)
        client.sendto(wire.make_query(name, ident=7, **keywords), (lab.address, lab.port))
        found = []
        try:
            while len(found) < count:
                found.append(client.recvfrom(65535))
        except TimeoutError:
            pass
        return found


def tcp_frames(lab, messages, until_closed=False, wait=0.5):
    with socket.create_connection((lab.address, lab.port), timeout=wait) as client:
        client.sendall(b"".join(wire.frame(m) for m in messages))
        data, closed = b"", False
        try:
            while True:
                more = client.recv(65535)
                if not more:
                    closed = "fin"
                    break
                data += more
        except TimeoutError:
            pass
        except ConnectionResetError:
            closed = "rst"
    frames = []
    while len(data) >= 2 and len(data) >= 2 + struct.unpack("!H", data[:2])[0]:
        size = struct.unpack("!H", data[:2])[0]
        frames.append(data[2:2 + size])
        data = data[2 + size:]
    return frames, closed


def test_default_answers(lab):
    assert ask(lab, "www.lab.example").answer[0][0].address == wire.address4("www.lab.example")
    assert ask(lab, "WWW.lab.example", "AAAA").answer[0][0].address == wire.address6("www.lab.example")
    assert ask(lab, "www.lab.example", "TXT", tcp=True).answer[0][0].strings == (b"www.lab.example",)
    assert ask(lab, "www.lab.example", "HTTPS").answer
    assert ask(lab, "www.lab.example", "TYPE65280").answer


@pytest.mark.parametrize("name,rcode,answers,authority", [
    ("a.nxdomain.lab.example", 3, 0, 1), ("a.nodata.lab.example", 0, 0, 1), ("a.nxdomain.nosoa.lab.example", 3, 0, 0),
    ("a.rcode-2.lab.example", 2, 0, 0), ("a.refused.lab.example", 5, 0, 0), ("a.cname-5.lab.example", 0, 6, 0),
    ("a.cnameloop.lab.example", 0, 2, 0), ("a.cnamenx.lab.example", 3, 1, 1), ("a.extra.lab.example", 0, 2, 1),
    ("a.ttl-7.lab.example", 0, 1, 0), ("a.huge-20.lab.example", 0, 1, 0), ("a.signed.lab.example", 0, 1, 0),
])
def test_contents(lab, name, rcode, answers, authority):
    response = ask(lab, name, use_edns=0)
    assert response.rcode() == rcode and len(response.answer) == answers and len(response.authority) == authority


def test_sizes_and_numbers(lab):
    assert len(ask(lab, "b.huge-20.lab.example", use_edns=0).answer[0]) == 20
    assert ask(lab, "b.ttl-7.lab.example").answer[0].ttl == 7
    for size in (80, 200, 512, 700, 1232):
        assert abs(len(raw(lab, f"b.size-{size}.lab.example", edns=4096)[0][0]) - size) <= 1
    assert [ask(lab, "b.count.lab.example").answer[0][0].address for _ in range(3)] == [
        "198.51.100.1", "198.51.100.2", "198.51.100.3"]
    assert [ask(lab, "b.fail-2.lab.example").rcode() for _ in range(3)] == [2, 2, 0]


def test_forgeries(lab):
    right = raw(lab, "c.lab.example")[0]
    assert right[0][:2] == b"\0\7" and right[1][1] == lab.port
    assert raw(lab, "c.wrongid.lab.example")[0][0][:2] != b"\0\7"
    assert b"\5other" in raw(lab, "c.wrongquestion.lab.example")[0][0]
    assert raw(lab, "c.wrongsource.lab.example")[0][1][1] != lab.port
    assert len(raw(lab, "c.forge-5.lab.example", 9)) == 6
    assert len(raw(lab, "c.dup.lab.example", 9)) == 2
    assert [len(d) for d, _ in raw(lab, "c.empty.thenright.lab.example", 2)][0] == 0
    assert len(raw(lab, "c.short.lab.example")[0][0]) == 5
    assert raw(lab, "C.swapcase.LAB.example")[0][0][12:14] == b"\1c"
    assert raw(lab, "c.notresponse.lab.example")[0][0][2] & 0x80 == 0
    for word in ("garbage", "header", "cut", "badcount", "badpointer", "wrongtype", "wrongopcode"):
        assert len(raw(lab, f"c.{word}.lab.example", 2)) == 1, word


def test_truncation(lab):
    assert ask(lab, "d.tc.lab.example").flags & dns.flags.TC
    assert not ask(lab, "d.tc.lab.example", tcp=True).flags & dns.flags.TC
    assert ask(lab, "d.tc.both.lab.example", tcp=True).flags & dns.flags.TC
    assert ask(lab, "d.huge-100.lab.example").flags & dns.flags.TC
    assert len(ask(lab, "d.huge-100.lab.example", tcp=True).answer[0]) == 100


def test_edns(lab):
    assert ask(lab, "e.noedns.lab.example", use_edns=0).rcode() == 1
    assert ask(lab, "e.noedns.lab.example", use_edns=False).rcode() == 0
    assert ask(lab, "e.noopt.lab.example", use_edns=0).edns == -1
    assert ask(lab, "e.ede-18.lab.example", use_edns=0).options[0].otype == 15
    assert raw(lab, "e.opt2.lab.example", edns=1232)[0][0][11] == 2
    first = ask(lab, "e.badcookie.lab.example", use_edns=0, options=[dns.edns.GenericOption(10, b"12345678")])
    assert first.rcode() == 23
    cookie = first.options[0].data
    assert ask(lab, "e.badcookie.lab.example", options=[dns.edns.GenericOption(10, cookie)]).rcode() == 0
    assert lab.counters()["with_server_cookie"] == 1


def test_time_and_loss(lab):
    begin = time.monotonic()
    ask(lab, "f.delay-80.lab.example")
    assert 0.07 < time.monotonic() - begin < 0.5
    assert raw(lab, "f.drop.lab.example") == []
    assert [len(raw(lab, "f.drop-2.lab.example", wait=0.1)) for _ in range(3)] == [0, 0, 1]


@pytest.mark.parametrize("options,answers,end", [
    ({"close_after": 2}, 2, ("fin", "rst")), ({"close_at_once": True}, 0, ("fin", "rst")),
    ({"rst_after": 2}, 2, ("rst",)), ({"half_close": 2}, 2, ("fin",)), ({"silent": True}, 0, (False,)),
    ({"never_read": True}, 0, (False,)), ({"drip": 50, "drip_ms": 1}, 4, (False,)), ({"close_idle": 0.1}, 4, ("fin",)),
    ({"out_of_order": True}, 4, (False,)), ({}, 4, (False,)), ({"max_connections": 0, "delay": 20}, 4, (False,)),
])
def test_connections(options, answers, end):
    with Lab(**options) as lab:
        frames, closed = tcp_frames(lab, [wire.make_query(f"g{i}.lab.example", ident=i) for i in range(4)])
        # A reset may take answers in our receive buffer with it.
        assert len(frames) == answers or closed == "rst"
        assert closed in end
        if options.get("out_of_order"):
            assert [f[1] for f in frames] == [3, 2, 1, 0]


def test_connection_demands(lab):
    query = lambda name, i: wire.make_query(name, ident=i)
    assert tcp_frames(lab, [query("h.close.lab.example", 1)]) == ([], "fin")
    assert tcp_frames(lab, [query("h.rst.lab.example", 1)]) == ([], "rst")
    frames, closed = tcp_frames(lab, [query("h.closeafter.lab.example", 1)])
    assert len(frames) == 1 and closed == "fin"
    frames, closed = tcp_frames(lab, [query("h.drip-1.lab.example", 1)])
    assert len(frames) == 1 and not closed
    frames, _ = tcp_frames(lab, [query("h.zerolen.lab.example", 1)])
    assert len(frames) == 2 and frames[0] == b""
    assert tcp_frames(lab, [query("h.longlen.lab.example", 1)], wait=0.2) == ([], False)
    assert tcp_frames(lab, [query("h.tc.ontcp.lab.example", 1)])[0][0][2] & 2


def test_counters_and_control():
    with Lab(delay=100) as lab:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            for i in range(50):
                client.sendto(wire.make_query(f"i{i % 25}.lab.example", ident=i), (lab.address, lab.port))
            client.settimeout(2)
            for _ in range(50):
                client.recv(4096)
        counters = lab.counters()
        assert counters["udp"] == 50 and counters["max_in_flight"] == 50 and counters["duplicates"] == 25
        assert counters["distinct_ports"] == 1 and counters["distinct_ids"] == 50 and counters["id_repeats"] == 0
        assert lab.asked("i3.lab.example") == 2
        lab.reset()
        assert lab.counters()["queries"] == 0
        lab.stop_listening()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((lab.address, lab.port))
        lab.start_listening()
        lab.set(delay=0, rcode=5)
        assert ask(lab, "i.lab.example").rcode() == 5
        lab.set(refuse_tcp=True)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((lab.address, lab.port))
        with pytest.raises(RuntimeError):
            lab.set(nonsense=1)
        assert json.dumps(lab.command("options"))


def test_load():
    """3000 queries in flight at 50 ms, over one socket, none lost."""
    with Lab(delay=50) as lab, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)
        client.settimeout(2)
        begin = time.monotonic()
        for i in range(3000):
            client.sendto(wire.make_query(f"j{i}.lab.example", ident=i), (lab.address, lab.port))
        for _ in range(3000):
            client.recv(4096)
        assert time.monotonic() - begin < 2
        assert lab.counters()["answered"] == 3000


def test_ipv6():
    with Lab(address="::1") as lab:
        assert ask(lab, "k.lab.example").answer
