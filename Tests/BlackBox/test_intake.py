"""Malformed and unusual queries get what the RFCs ask; raw datagrams, so that no library repairs them first.

Silence is shown by a good query that is sent right after on the same socket: its answer must be the first to come.
"""

import struct

import dns.flags
import pytest

import wire
from clients import UDPClient, addresses, extended_errors, read, texts

SILENT = "silence"
ANSWERED = "any"


@pytest.fixture(scope="module")
def stack(build_shared):
    return build_shared(server={"deny": ["127.0.0.66/32"]})


def header(ident=9, flags=wire.RD, counts=(1, 0, 0, 0)):
    return struct.pack("!HHHHHH", ident, flags, *counts)


QUESTION = b"\3www\3lab\7example\0" + struct.pack("!HH", 1, 1)
OPT = wire.opt_record()
LONG = b"".join([b"\x3f" + b"a" * 63] * 3)


def with_opt(opt, count=1, flags=wire.RD):
    return header(counts=(1, 0, 0, count), flags=flags) + QUESTION + opt


def opcode(number):
    return header(flags=wire.RD | number << 11) + QUESTION


def cookie(length):
    return with_opt(wire.opt_record(options=[(10, b"c" * length)]))


CASES = {
    "an empty datagram": (b"", SILENT),
    "one octet": (b"\1", SILENT),
    "eleven octets": (header()[:11], SILENT),
    "a response": (header(flags=wire.QR | wire.RD) + QUESTION, SILENT),
    "a response that is cut": (header(flags=wire.QR), SILENT),
    "a response with opcode 15": (header(flags=wire.QR | 0x7800) + QUESTION, SILENT),
    "only a header": (header(counts=(0, 0, 0, 0)), wire.FORMERR),
    "no question but octets": (header(counts=(0, 0, 0, 0)) + QUESTION, wire.FORMERR),
    "two questions": (header(counts=(2, 0, 0, 0)) + QUESTION + QUESTION, wire.FORMERR),
    "65535 questions": (header(counts=(65535, 0, 0, 0)) + QUESTION, wire.FORMERR),
    "a question that is missing": (header(), wire.FORMERR),
    "a name that is cut": (header() + b"\3ww", wire.FORMERR),
    "a name without its end": (header() + b"\3www", wire.FORMERR),
    "a question without its class": (header() + QUESTION[:-2], wire.FORMERR),
    "a pointer to itself": (header() + b"\xc0\x0c" + b"\0\1\0\1", wire.FORMERR),
    "a pointer to the header": (header() + b"\xc0\x00" + b"\0\1\0\1", wire.FORMERR),
    "a pointer forward": (header() + b"\1a\xc0\x20" + b"\0\1\0\1" + b"\0" * 30, wire.FORMERR),
    "a label of type 01": (header() + b"\x41a\0" + b"\0\1\0\1", wire.FORMERR),
    "a label of type 10": (header() + b"\x81a\0" + b"\0\1\0\1", wire.FORMERR),
    "a name of 256 octets": (header() + LONG + b"\x3e" + b"b" * 62 + b"\0" + b"\0\1\0\1", wire.FORMERR),
    "a name of 255 octets": (header() + LONG + b"\x3d" + b"b" * 61 + b"\0" + b"\0\1\0\1", wire.NOERROR),
    "the root": (header() + b"\0" + b"\0\2\0\1", wire.NOERROR),
    "a name with NUL, dot and 0xff": (header() + b"\4\0.\xff\\\3lab\7example\0" + b"\0\1\0\1", wire.NOERROR),
    "two OPTs": (with_opt(OPT + OPT, 2), wire.FORMERR),
    "an OPT with an owner": (with_opt(b"\1a" + OPT), wire.FORMERR),
    "an OPT that is cut": (with_opt(OPT[:-1]), wire.FORMERR),
    "an OPT that is missing": (with_opt(b""), wire.FORMERR),
    "an OPT longer than the message": (with_opt(OPT[:-2] + b"\0\x20"), wire.FORMERR),
    "an option longer than the OPT": (with_opt(OPT[:-2] + b"\0\5\xfd\xe9\0\x20x"), wire.FORMERR),
    "half an option": (with_opt(OPT[:-2] + b"\0\2\xfd\xe9"), wire.FORMERR),
    "an OPT in the answer section": (header(counts=(1, 1, 0, 0)) + QUESTION + OPT, ANSWERED),
    "octets after the end": (header() + QUESTION + b"xxxx", ANSWERED),
    "an answer in the query": (header(counts=(1, 1, 0, 0)) + QUESTION + b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4abcd", ANSWERED),
    "a cookie of 0 octets": (cookie(0), wire.FORMERR),
    "a cookie of 7 octets": (cookie(7), wire.FORMERR),
    "a cookie of 8 octets": (cookie(8), wire.NOERROR),
    "a cookie of 9 octets": (cookie(9), wire.FORMERR),
    "a cookie of 15 octets": (cookie(15), wire.FORMERR),
    "a cookie of 16 octets": (cookie(16), wire.NOERROR),
    "a cookie of 40 octets": (cookie(40), wire.NOERROR),
    "a cookie of 41 octets": (cookie(41), wire.FORMERR),
    "an unknown option": (with_opt(wire.opt_record(options=[(65001, b"hello")])), wire.NOERROR),
    "an unknown option without octets": (with_opt(wire.opt_record(options=[(65001, b"")])), wire.NOERROR),
    "200 unknown options": (with_opt(wire.opt_record(options=[(65001, b"")] * 200)), wire.NOERROR),
    "keepalive over UDP": (with_opt(wire.opt_record(options=[(11, b"")])), wire.NOERROR),
    "EDNS size 0": (with_opt(wire.opt_record(size=0)), wire.NOERROR),
    "EDNS size 65535": (with_opt(wire.opt_record(size=65535)), wire.NOERROR),
    "EDNS version 1": (with_opt(wire.opt_record(version=1)), wire.BADVERS),
    "EDNS version 255": (with_opt(wire.opt_record(version=255)), wire.BADVERS),
    "inverse query": (opcode(1), wire.NOTIMP),
    "status": (opcode(2), wire.NOTIMP),
    "opcode 3": (opcode(3), wire.NOTIMP),
    "NOTIFY": (opcode(4), wire.NOTIMP),
    "UPDATE": (opcode(5), wire.NOTIMP),
    "DSO": (header(flags=6 << 11, counts=(0, 0, 0, 0)), wire.NOTIMP),
    "opcode 15": (opcode(15), wire.NOTIMP),
    "AA, TC, RA and Z set": (header(flags=wire.RD | 0x0400 | wire.TC | wire.RA | 0x0040) + QUESTION, wire.NOERROR),
    "an RCODE in a query": (header(flags=wire.RD | 5) + QUESTION, wire.NOERROR),
    "AXFR": (header() + QUESTION[:-4] + b"\0\xfc\0\1", wire.REFUSED),
    "IXFR": (header() + QUESTION[:-4] + b"\0\xfb\0\1", wire.REFUSED),
    "type 0": (header() + QUESTION[:-4] + b"\0\0\0\1", ANSWERED),
    "type OPT": (header() + QUESTION[:-4] + b"\0\x29\0\1", ANSWERED),
    "type 65535": (header() + QUESTION[:-4] + b"\xff\xff\0\1", ANSWERED),
    "class 0": (header() + QUESTION[:-4] + b"\0\1\0\0", ANSWERED),
    "class ANY": (header() + QUESTION[:-4] + b"\0\1\0\xff", ANSWERED),
    "class HS": (header() + QUESTION[:-4] + b"\0\1\0\4", ANSWERED),
}


@pytest.mark.parametrize("case", CASES)
def test_query(stack, case):
    message, expected = CASES[case]
    with UDPClient(stack.port) as client:
        client.send(message)
        if expected == SILENT:
            client.send(wire.make_query("after.lab.example", ident=4711))
            first = client.receive()
            assert first is not None and first[:2] == struct.pack("!H", 4711)
            return
        answer = client.receive()
        assert answer is not None, "silence"
        assert answer[:2] == message[:2] and answer[2] & 0x80, "id or QR"
        assert len(answer) <= 1232
        assert answer[2] >> 3 & 15 == message[2] >> 3 & 15, "the opcode comes back"
        if expected == wire.NOTIMP:  # dnspython reads no other opcodes
            assert answer[3] & 15 == expected
        elif expected != ANSWERED:
            response = read(answer)
            assert response.rcode() == expected
            if expected == wire.BADVERS:
                assert response.edns == 0


def test_tcp_gets_the_same(stack):
    """Over TCP a short message or a response ends the connection or is ignored; the rest is answered alike."""
    for case, (message, expected) in CASES.items():
        if expected in (SILENT, ANSWERED) or len(message) < 12:
            continue
        client = stack.tcp()
        client.send(wire.frame(message))
        answer = client.receive()
        assert answer is not None, case
        rcode = answer[3] & 15 if expected == wire.NOTIMP else read(answer).rcode()
        assert rcode == expected, case
        client.close()


def test_reply_bits(stack):
    with UDPClient(stack.port) as client:
        name = wire.encode_name("wWw.BiTs.lAb.eXaMpLe")
        answer = client.exchange(wire.make_query(name, ident=0xBEEF, flags=wire.RD | 0x0040))
        assert answer[12:12 + len(name)] == name, "the client's letter case"
        response = read(answer)
        assert response.flags & dns.flags.RA and response.flags & dns.flags.RD
        assert not response.flags & (dns.flags.AA | dns.flags.TC | 0x0040)
        assert response.edns == -1, "no OPT for a client without"
        assert addresses(response) == [wire.address4("www.bits.lab.example")]
        again = read(client.exchange(wire.make_query("www.bits.lab.example", ident=1, edns=1232)))
        assert again.edns == 0 and again.payload >= 512


def test_cd_and_ad(stack):
    with UDPClient(stack.port) as client:
        assert client.ask("cd.lab.example", flags=wire.RD | wire.CD).flags & dns.flags.CD
        assert not client.ask("cd2.lab.example").flags & dns.flags.CD
        # RFC 6840 5.7, 5.8: AD only for who set AD or DO.
        assert not client.ask("x.ad.lab.example").flags & dns.flags.AD
        assert client.ask("x.ad.lab.example", flags=wire.RD | wire.AD).flags & dns.flags.AD
        assert client.ask("x.ad.lab.example", edns=1232, do=True).flags & dns.flags.AD


def test_options_are_hop_by_hop(stack):
    """No option of the client reaches the upstream, and no unknown option comes back."""
    options = [(8, b"\0\1\x18\0\xc0\0\2"), (10, b"CLIENTCO"), (65001, b"private"), (12, b"\0" * 20), (3, b"")]
    with UDPClient(stack.port) as client:
        response = client.ask("o.echo.lab.example", wire.TXT, edns=1232, options=options)
        seen = dict(item.split("=", 1) for item in texts(response)[0].split())
        codes = [item.split(":")[0] for item in seen["options"].split(",") if item]
        assert "65001" not in codes and "8" not in codes and "12" not in codes and "3" not in codes
        assert b"CLIENTCO".hex() not in seen["options"]
        assert seen["edns"] == "1232" and seen["rd"] == "1"
        assert not [o for o in response.options if int(o.otype) in (8, 12, 65001)]


def test_unknown_types_pass(stack):
    with UDPClient(stack.port) as client:
        for qtype in (65280, 65, 64, 99, 257, 32769):
            response = client.ask("types.lab.example", qtype)
            assert response.rcode() == 0 and int(response.answer[0].rdtype) == qtype
            assert stack.lab.asked("types.lab.example", qtype) == 1


def test_any_is_minimal(stack):
    with UDPClient(stack.port) as client:
        response = client.ask("any.lab.example", wire.ANY)
        assert [int(r.rdtype) for r in response.answer] == [13] and "RFC8482" in response.answer[0].to_text()
        assert stack.lab.asked("any.lab.example", wire.ANY) == 0


def test_chaos_stays_here(stack):
    with UDPClient(stack.port) as client:
        before = stack.lab.counters()["queries"]
        for name in ("version.bind", "id.server", "hostname.bind", "other.name"):
            assert client.ask(name, wire.TXT, qclass=3).rcode() == wire.REFUSED
        assert stack.lab.counters()["queries"] == before


def test_identity(build):
    stack = build(server={"identity": "north"})
    assert texts(stack.ask("id.server", wire.TXT, qclass=3)) == ["north"]


def test_no_recursion_desired(stack):
    """RD=0: from the cache, or REFUSED; never upstream."""
    with UDPClient(stack.port) as client:
        assert client.ask("rd.lab.example", flags=0).rcode() == wire.REFUSED
        assert stack.lab.asked("rd.lab.example") == 0
        assert client.ask("rd.lab.example").rcode() == 0
        answer = client.ask("rd.lab.example", flags=0)
        assert answer.rcode() == 0 and answer.answer and not answer.flags & dns.flags.RD


def test_access_list(stack):
    client = stack.udp(source="127.0.0.66")
    response = client.ask("acl.lab.example", edns=1232)
    assert response.rcode() == wire.REFUSED and extended_errors(response) == [18]
    assert stack.lab.asked("acl.lab.example") == 0


@pytest.mark.parametrize("name,qtype,rcode,contents", [
    ("localhost", 1, 0, ["127.0.0.1"]), ("a.localhost", 1, 0, ["127.0.0.1"]), ("localhost", 28, 0, ["::1"]),
    ("x.invalid", 1, 3, []), ("x.test", 1, 3, []), ("abc.onion", 1, 3, []), ("1.0.0.10.in-addr.arpa", 12, 3, []),
    ("x.home.arpa", 1, 3, []),
])
def test_special_names(stack, name, qtype, rcode, contents):
    response = stack.ask(name, qtype)
    assert response.rcode() == rcode and addresses(response) == contents
    assert stack.lab.asked(name, qtype) == 0


def test_resolver_arpa_stays_here(stack):
    response = stack.ask("_dns.resolver.arpa", 64)
    assert response.rcode() in (0, 3) and not response.answer
    assert stack.lab.asked("_dns.resolver.arpa", 64) == 0
