"""Handshakes that must fail, over DoT and DoH: no answer, no clear text, a plain word, the right one blamed."""

import re
import time

import pytest

import certs
import wire
from bursts import burst, right, wait_until, well_again
from clients import UDPClient

GOOD = {"certificate": "good", "handshake": "", "no_alpn": False, "alpn": "", "tls": ""}

# (what the server does, words of the log, whose fault)
BAD_SERVERS = [
    ({"certificate": "wrong-name"}, "certificate for another name", "upstream"),
    ({"certificate": "expired"}, "certificate expired (is this machine's clock right?)", "upstream"),
    ({"certificate": "not-yet-valid"}, "certificate not valid yet (is this machine's clock right?)", "upstream"),
    ({"certificate": "self-signed"}, "certificate of an untrusted issuer", "upstream"),
    ({"certificate": "other-issuer"}, "certificate of an untrusted issuer", "upstream"),
    ({"handshake": "alert"}, "TLS alert", "upstream"),
    ({"handshake": "plain"}, "TLS alert", "upstream"),
    ({"handshake": "reset"}, "reset", "upstream"),
    ({"handshake": "close"}, "closed", "upstream"),
    ({"handshake": "stall"}, "timeout", "path"),
]


def name_of(value):
    return "-".join(map(str, value.values())) if isinstance(value, dict) else None


@pytest.mark.parametrize("transport", ["tls", "https"])
@pytest.mark.parametrize("options,words,fault", BAD_SERVERS, ids=name_of)
def test_bad_server(build, transport, options, words, fault):
    stack = build(transport=transport, lab=options, cache={"failure_ttl": "1s"})
    begin = time.monotonic()
    assert stack.ask("x.lab.example").rcode() == wire.SERVFAIL
    assert time.monotonic() - begin < 4.6
    assert stack.daemon.wait_for_log(words), stack.daemon.log()[-2000:]
    # Of the connections under way some may not have failed yet.
    assert wait_until(lambda: stack.daemon.failures(fault) >= 1, 2.5), stack.daemon.statistics()
    assert stack.daemon.failures("local") == stack.daemon.failures("name") == 0
    counters = stack.lab.counters()
    assert counters["queries"] == 0, "a query left over a connection that was not verified, or in clear text"
    assert 1 <= counters["connections_opened"] <= 12
    stack.lab.set(**GOOD)
    stack.lab.drop_connections()
    assert well_again(stack)


@pytest.mark.parametrize("transport", ["tls", "https"])
@pytest.mark.parametrize("options", [options for options, _, _ in BAD_SERVERS], ids=name_of)
def test_next_member_answers(build, transport, options):
    """The first member cannot be trusted: the second answers in time; later queries do not wait for the first."""
    stack = build(transport=transport, lab=[options, {}])
    begin = time.monotonic()
    assert right(stack.ask("first.lab.example"), "first.lab.example")
    assert time.monotonic() - begin < 2.6
    begin = time.monotonic()
    for i in range(20):
        assert right(stack.ask(f"later{i}.lab.example"), f"later{i}.lab.example")
    assert time.monotonic() - begin < 2.5
    assert stack.labs[0].counters()["queries"] == 0


@pytest.mark.parametrize("options", [{"no_alpn": True}, {"alpn": "http/1.1"}], ids=str)
def test_no_http2(build, options):
    stack = build(transport="https", lab=options, cache={"failure_ttl": "1s"})
    assert stack.ask("x.lab.example").rcode() == wire.SERVFAIL
    assert wait_until(lambda: re.search("ALPN|TLS alert", stack.daemon.log())), stack.daemon.log()[-2000:]
    assert stack.daemon.failures("upstream") >= 1 and stack.lab.counters()["queries"] == 0
    stack.lab.set(**GOOD)
    assert well_again(stack)


def test_no_storm_of_handshakes(build):
    """300 queries while every handshake fails: few connections, not one a query."""
    stack = build(transport="tls", lab={"certificate": "expired"})
    with UDPClient(stack.port) as client:
        for i in range(300):
            client.send(wire.make_query(f"s{i}.lab.example", ident=i))
        answers = [client.receive(5) for _ in range(300)]
    assert all(answer is not None and answer[3] & 15 == wire.SERVFAIL for answer in answers)
    assert stack.lab.counters()["connections_opened"] <= 60


def test_stalled_handshakes_are_joined(build):
    """100 queries while the handshakes hang: no more than the ceiling, and an answer for every client."""
    stack = build(transport="tls", lab={"handshake": "stall"})
    with UDPClient(stack.port) as client:
        for i in range(100):
            client.send(wire.make_query(f"s{i}.lab.example", ident=i))
        answers = [client.receive(5) for _ in range(100)]
    assert all(answer is not None and answer[3] & 15 == wire.SERVFAIL for answer in answers)
    counters = stack.lab.counters()
    assert counters["connections_peak"] <= 10 and counters["connections_opened"] <= 25


@pytest.mark.parametrize("certificate", ["wrong-name", "expired", "self-signed"])
def test_verify_off(build, certificate):
    """verify = "off" takes any certificate, and says so at the start."""
    stack = build(transport="tls", lab={"certificate": certificate}, upstream={"verify": "off"})
    assert right(stack.ask("v.lab.example"), "v.lab.example")
    warning = [line for line in stack.daemon.log().splitlines() if "verif" in line]
    assert warning and "lab0" in warning[0], stack.daemon.log()[:1000]


@pytest.mark.parametrize("transport", ["tls", "https"])
@pytest.mark.parametrize("pinned,works", [(["good"], True), (["second"], False), (["second", "good"], True)])
def test_pins(build, transport, pinned, works):
    pins = [certs.shared().pin(kind) for kind in pinned]
    stack = build(transport=transport, upstream={"pins": pins})
    response = stack.ask("p.lab.example")
    if works:
        assert right(response, "p.lab.example")
    else:
        assert response.rcode() == wire.SERVFAIL and stack.lab.counters()["queries"] == 0
        assert stack.daemon.wait_for_log("no certificate has the pinned key")


def test_pins_are_on_top(build):
    """A pinned key does not excuse a certificate that is out of date."""
    stack = build(transport="tls", lab={"certificate": "expired"}, upstream={"pins": [certs.shared().pin("expired")]})
    assert stack.ask("p.lab.example").rcode() == wire.SERVFAIL
    assert stack.lab.counters()["queries"] == 0


def test_changed_key_after_resumption(build):
    """The server's key changes while we hold its tickets: the pin is looked at again, nothing is resumed past it."""
    stack = build(transport="tls", lab={"close_after": 1}, upstream={"pins": [certs.shared().pin("good")]})
    assert stack.ask("k1.lab.example").rcode() == 0
    stack.lab.set(certificate="second")
    asked = stack.lab.counters()["queries"]
    assert stack.ask("k2.lab.example").rcode() == wire.SERVFAIL
    assert stack.lab.counters()["queries"] == asked


@pytest.mark.parametrize("certificate,works", [("good", True), ("wildcard", True), ("name-only", True)])
def test_names(build, certificate, works):
    stack = build(transport="tls", lab={"certificate": certificate})
    assert right(stack.ask("n.lab.example"), "n.lab.example")


@pytest.mark.parametrize("transport", ["tls", "https"])
@pytest.mark.parametrize("certificate,works", [("good", True), ("name-only", False)])
def test_address_as_the_name(build, transport, certificate, works):
    """Where the name is an address, the certificate must have that address, and no SNI is sent (RFC 6066 section 3)."""
    lab = build.lab(encrypted=True, certificate=certificate)
    url = lab.url_for(transport).replace(certs.NAME + "@", "127.0.0.1@")
    daemon = build.daemon([url], tls={"ca": certs.shared().ca})
    with UDPClient(daemon.port) as client:
        response = client.ask("n.lab.example")
    assert (response.rcode() == 0) == works
    assert set(lab.counters()["server_names"]) == {""}
    assert works or daemon.wait_for_log("certificate for another name")


def test_minimum_version(build):
    stack = build(transport="tls", lab={"tls": "1.2"}, tls={"min_version": "1.3"})
    assert stack.ask("m.lab.example").rcode() == wire.SERVFAIL
    assert stack.lab.counters()["queries"] == 0 and stack.daemon.failures("upstream") >= 1


def test_another_authority(build, tmp_path):
    """The upstream's own `ca` wins over tls.ca."""
    other = certs.shared().directory / "other-ca.pem"
    stack = build(transport="tls", upstream={"ca": str(other)})
    assert stack.ask("c.lab.example").rcode() == wire.SERVFAIL
    stack = build(transport="tls", lab={"certificate": "other-issuer"}, upstream={"ca": str(other)})
    assert right(stack.ask("c.lab.example"), "c.lab.example")


def test_missing_authority(build, tmp_path):
    """A `ca` that cannot be read stops the start with a sentence that names it."""
    lab = build.lab(encrypted=True)
    missing = str(tmp_path / "missing.pem")
    daemon = build.daemon([lab.tls_url], tls={"ca": missing}, wait=False)
    assert daemon.process.wait(5) != 0
    daemon.expected_exit = daemon.process.returncode
    assert missing in daemon.log()


def test_keylog(build, tmp_path):
    keylog = tmp_path / "keys"
    stack = build(transport="tls", tls={"keylog": str(keylog)})
    assert stack.ask("k.lab.example").rcode() == 0
    assert "CLIENT_TRAFFIC_SECRET_0" in keylog.read_text()
    assert "keylog" in stack.daemon.log()
    assert keylog.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("url", ["quic://dns.lab.example@127.0.0.1", "h3://dns.lab.example@127.0.0.1"])
def test_planned_transports(build, url):
    daemon = build.daemon([url], wait=False)
    assert daemon.process.wait(5) == 78
    daemon.expected_exit = 78
    assert "this build has no QUIC (planned)" in daemon.log()


def test_burst_while_the_server_restarts(build):
    """Listening ends and begins again, connections reset: every query is answered by the other member."""
    stack = build(transport="tls", labs=2)
    assert burst(stack, "a", 20)[0] == 20
    stack.labs[0].stop_listening()
    assert burst(stack, "b", 50)[0] == 50
    stack.labs[0].start_listening()
    stack.labs[0].reset()
    assert wait_until(lambda: stack.ask(f"c{time.monotonic_ns()}.lab.example").rcode() == 0
                      and stack.labs[0].counters()["queries"] > 0, 10)
