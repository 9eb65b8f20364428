"""The lab's DoT tested by itself: do its certificates, handshakes and records misbehave as they are told to?"""

import pathlib
import socket
import ssl
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import certs
import wire
from lab import Lab
from secure_clients import DoTClient, client_context


@pytest.fixture(scope="module")
def shared():
    with Lab(encrypted=True) as lab:
        yield lab


@pytest.fixture
def lab(shared):
    shared.reset()
    options = shared.command("options")
    yield shared
    shared.set(**options)


def queries(count, prefix="q"):
    return [wire.make_query(f"{prefix}{i}.lab.example", ident=i) for i in range(count)]


def test_answers_and_counters(lab):
    with DoTClient(lab) as client:
        assert len(client.exchange(queries(20))) == 20
        assert client.tls.selected_alpn_protocol() == "dot"
        assert client.say_goodbye()
    counters = lab.counters()
    assert counters["tls"] == 20 and counters["handshakes"] == 1 and counters["resumed"] == 0
    assert counters["records"] == 1 and counters["frames_per_record_peak"] == 20
    assert counters["server_names"] == {certs.NAME: 1} and counters["alpn"] == {"dot": 1}
    assert counters["opened_by"] == {"tls": 1} and counters["close_notifies"] == 1


@pytest.mark.parametrize("certificate,words", [
    ("wrong-name", "Hostname mismatch"), ("expired", "expired"), ("not-yet-valid", "not yet valid"),
    ("self-signed", "self-signed"), ("other-issuer", "unable to get local issuer"),
])
def test_bad_certificates(lab, certificate, words):
    lab.set(certificate=certificate)
    with pytest.raises(ssl.SSLCertVerificationError, match=words):
        DoTClient(lab)
    # The client's alert may arrive after we asked.
    limit = time.monotonic() + 2
    while not (found := lab.counters())["handshake_failures"] and time.monotonic() < limit:
        time.sleep(0.01)
    assert len(found["handshake_failures"]) == 1, found


@pytest.mark.parametrize("certificate", ["good", "second", "name-only", "wildcard"])
def test_good_certificates(lab, certificate):
    lab.set(certificate=certificate)
    with DoTClient(lab) as client:
        assert len(client.exchange(queries(1))) == 1
    assert certs.shared().pin("good") != certs.shared().pin("second")


@pytest.mark.parametrize("way,error", [
    ("stall", TimeoutError), ("reset", ConnectionResetError), ("close", (ssl.SSLError, ConnectionResetError)),
    ("alert", ssl.SSLError), ("plain", ssl.SSLError),
])
def test_handshakes_that_fail(lab, way, error):
    lab.set(handshake=way)
    with pytest.raises(error):
        DoTClient(lab, wait=0.3)
    assert lab.counters()["handshakes"] == 0


def test_handshake_options(lab):
    lab.set(handshake_delay=100, no_alpn=True)
    begin = time.monotonic()
    with DoTClient(lab) as client:
        assert time.monotonic() - begin > 0.09
        assert client.tls.selected_alpn_protocol() is None
    lab.set(handshake_delay=0, tls="1.2")
    with DoTClient(lab) as client:
        assert client.tls.version() == "TLSv1.2" and len(client.exchange(queries(3))) == 3
    lab.set(tls="1.3")
    with pytest.raises(ssl.SSLError):
        DoTClient(lab, context=client_context("dot", version=ssl.TLSVersion.TLSv1_2))


@pytest.mark.parametrize("version", [None, ssl.TLSVersion.TLSv1_2])
def test_resumption_is_seen(lab, version):
    context = client_context("dot", version=version)
    with DoTClient(lab, context=context) as client:
        client.exchange(queries(1))
        session = client.tls.session
    for used in (0, 1):
        with DoTClient(lab, context=context, session=session) as client:
            client.exchange(queries(1))
            assert client.tls.session_reused
        counters = lab.counters()
        assert counters["resumed"] == used + 1 and counters["tickets_reused"] == used
    lab.forget_tickets()
    with DoTClient(lab, context=context, session=session) as client:
        assert not client.tls.session_reused
    assert lab.counters()["tickets_offered"] == 3


@pytest.mark.parametrize("options,answers,end", [
    ({"close_after": 2}, 2, "fin"), ({"close_after": 2, "no_notice": True}, 2, ("cut", "rst")),
    ({"rst_after": 4}, 4, "rst"),
    ({"close_idle": 0.1}, 4, "fin"), ({"close_idle": 0.1, "no_notice": True}, 4, "cut"),
    ({"record_size": 1}, 4, "silent"),
    ({"drip": 50, "drip_ms": 1}, 4, "silent"), ({"out_of_order": True}, 4, "silent"), ({"silent": True}, 0, "silent"),
    ({"half_close": 2}, 2, ("cut", "fin")), ({"never_read": False}, 4, "silent"),
])
def test_connections(lab, options, answers, end):
    lab.set(**options)
    with DoTClient(lab, wait=0.5) as client:
        found = client.exchange(queries(4, "c"))
        while client.end is None and client.fill():
            pass
        assert client.end in end
        assert len(found) == answers or client.end == "rst"


def test_one_octet_records(lab):
    lab.set(record_size=1)
    context = client_context("dot")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with socket.create_connection((lab.address, lab.tls_port), timeout=1) as plain:
        tls = context.wrap_bio(incoming, outgoing, server_hostname=certs.NAME)
        received, sent, sizes = b"", False, []
        while len(received) < 40:
            try:
                if not sent:
                    tls.do_handshake()
                    tls.write(wire.frame(queries(1)[0]))
                    sent = True
                piece = tls.read(1000)
                sizes.append(len(piece))
                received += piece
            except ssl.SSLWantReadError:
                plain.sendall(outgoing.read())
                incoming.write(plain.recv(65536))
        assert set(sizes) == {1}


def test_demands(lab):
    for word, end in (("close", "fin"), ("rst", "rst"), ("longlen", "silent")):
        with DoTClient(lab, wait=0.3) as client:
            assert client.exchange([wire.make_query(f"d.{word}.lab.example")]) == [] and client.end == end
    with DoTClient(lab) as client:
        assert client.exchange([wire.make_query("d.keepalive-5.lab.example", edns=1232)])[0].endswith(b"\0\x0b\0\2\0\5")
