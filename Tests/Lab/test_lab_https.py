"""The lab's DoH tested by itself: HTTP/2 as it should be, and each way in which it should not."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import base64

import certs
import http2
import wire
from lab import Lab
from secure_clients import DoHClient


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


def right(response, name):
    return response.status == 200 and response.ended and wire.encode_name(name) in response.body \
        and response.field("content-type") == "application/dns-message"


def test_answers_and_counters(lab):
    names = [f"a{i}.lab.example" for i in range(20)]
    with DoHClient(lab) as client:
        assert all(map(right, client.ask(*names), names))
        dns = base64.urlsafe_b64encode(wire.make_query("b.lab.example")).decode().rstrip("=")
        assert right(client.ask("b.lab.example", method="GET", path=f"/dns-query?dns={dns}")[0], "b.lab.example")
        assert client.tls.selected_alpn_protocol() == "h2"
        assert client.settings[http2.SETTING_MAX_STREAMS] == 100
        client.send(http2.frame(http2.PING, 0, 0, b"12345678"))
    counters = lab.counters()
    assert counters["https"] == 21 and counters["methods"] == {"POST": 20, "GET": 1}
    assert counters["paths"] == {"/dns-query": 21} and counters["authorities"] == {certs.NAME: 21}
    assert counters["nonzero_ids"] == 0 and counters["peak_pipelined"] >= 1 and counters["highest_stream"] == 41
    assert counters["alpn"] == {"h2": 1} and counters["frames_per_record_peak"] == 20


@pytest.mark.parametrize("label,status,fields", [
    ("http-503.retry-7", 503, {"retry-after": "7"}), ("http-400", 400, {}), ("http-404", 404, {}),
    ("http-429.retry-1", 429, {"retry-after": "1"}),
    ("http-302", 302, {"location": "https://elsewhere.example/dns-query"}),
    ("ctype", 200, {"content-type": "text/html"}), ("age-100", 200, {"age": "100"}),
    ("maxage-5", 200, {"cache-control": "max-age=5"}), ("informational", 200, {}),
])
def test_responses(lab, label, status, fields):
    with DoHClient(lab) as client:
        response = client.ask(f"x.{label}.lab.example")[0]
        assert response.status == status and response.ended
        assert all(response.field(name) == value for name, value in fields.items())
        once = client.ask(f"y.once.{label}.lab.example", f"y.once.{label}.lab.example")
        assert once[0].status == status and once[1].status == 200


def test_bodies(lab):
    with DoHClient(lab, wait=0.3) as client:
        assert right(client.ask("t.trickle-1.lab.example")[0], "t.trickle-1.lab.example")
        assert client.ask("n.nobody.lab.example")[0].body == b""
        assert not right(client.ask("i.incomplete.lab.example")[0], "i.incomplete.lab.example")
        stalled = client.ask("s.stalled.lab.example")[0]
        assert stalled.status == 200 and not stalled.ended and client.end == "silent"


def test_endless_body(lab):
    with DoHClient(lab) as client:
        response = client.responses.setdefault(1, None)
        response = client.ask("e.endless.lab.example", until=lambda: len(client.responses[1].body) >= 65535)[0]
        client.send(http2.reset(1, http2.CANCEL))
        assert len(response.body) == 65535 and not response.ended
        client.send(http2.window_update(0, 100000))
        assert right(client.ask("after.lab.example")[0], "after.lab.example")
    assert lab.counters()["stream_errors"] == {"CANCEL": 1}


def test_streams(lab):
    with DoHClient(lab) as client:
        assert client.ask("r.rststream.lab.example")[0].reset == http2.INTERNAL_ERROR
        assert client.ask("r.refusestream.lab.example")[0].reset == http2.REFUSED_STREAM
        lab.set(max_streams=1, delay=20)
    with DoHClient(lab) as client:
        first, second = client.ask("m1.lab.example", "m2.lab.example")
        assert client.settings[http2.SETTING_MAX_STREAMS] == 1
        assert first.status == 200 and second.reset == http2.REFUSED_STREAM
    assert lab.counters()["streams_over_limit"] == 1


def test_goaway(lab):
    lab.set(delay=30)
    with DoHClient(lab) as client:
        before, asked, after = client.ask(
            "g1.lab.example", "g.goaway.lab.example", "g2.lab.example", until=lambda: False)
        assert client.goaway == (1, http2.NO_ERROR) and client.end == "fin"
        assert before.ended and not asked.fields and not after.fields
    lab.set(delay=0, goaway_after=2)
    with DoHClient(lab) as client:
        found = client.ask("h1.lab.example", "h2.lab.example", "h3.lab.example", until=lambda: False)
        assert client.goaway == (3, http2.NO_ERROR) and [r.ended for r in found] == [True, True, False]
    lab.set(goaway_after=0)
    with DoHClient(lab) as client:
        client.ask("h.goawayerror.lab.example", until=lambda: False)
        assert client.goaway[1] == http2.CALM


def test_windows(lab):
    """The server's small window: the body of a POST has to wait; the client's: the response has to."""
    lab.set(window=10)
    with DoHClient(lab, window=20, wait=0.5) as client:
        message = wire.make_query("w.lab.example")
        whole = client.request(message)
        header = len(whole) - len(message)
        client.read_until(lambda: bool(client.settings))
        assert client.settings[http2.SETTING_WINDOW] == 10
        client.send(whole[:header - 9])
        response = client.responses[1]
        sent = 0
        while sent < len(message):
            piece = message[sent:sent + 10]
            sent += len(piece)
            last = http2.END_STREAM if sent == len(message) else 0
            client.send(http2.frame(http2.DATA, last, 1, piece))
            if not last:
                client.read_until(lambda: response.updates >= sent)
                assert response.updates == sent
        client.read_until(lambda: len(response.body) >= 20)
        assert len(response.body) == 20 and not response.ended
        client.send(http2.window_update(1, 1000))
        client.read_until(lambda: response.ended)
        assert right(response, "w.lab.example")


def test_wrong_alpn(lab):
    lab.set(no_alpn=True)
    with DoHClient(lab) as client:
        assert client.tls.selected_alpn_protocol() is None


def test_connection_errors(lab):
    with DoHClient(lab, wait=0.3) as client:
        client.ask("b.badframe.lab.example", until=lambda: False)
        assert client.end == "silent"
    for word, end in (("close", "fin"), ("rst", "rst"), ("closeafter", "fin")):
        with DoHClient(lab, wait=0.3) as client:
            client.ask(f"c.{word}.lab.example", until=lambda: False)
            assert client.end == end
            assert (client.goaway is not None) == (end == "fin")
