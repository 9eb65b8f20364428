"""[[route]]: which upstream gets which question, and what the actions look like to a client.

Every upstream here answers everything; which of them was asked tells where a question went.
"""

import pytest

import wire
from clients import TCPClient, UDPClient, addresses, extended_errors

BLOCKED = 15


class Scene:
    """Three lab upstreams behind named upstreams, and one daemon with routes between them."""

    def __init__(self, build, routes, **keywords):
        names = ("main", "office", "other")
        self.labs = {name: build.lab() for name in names}
        upstreams = [{"name": name, "url": lab.url} for name, lab in self.labs.items()]
        # No retransmits on a busy machine: queries are counted.
        groups = {f"group.{name}": {"upstreams": [name], "attempt_timeout": "2s"} for name in names[1:]}
        self.daemon = build.daemon(["main"], upstream=upstreams, route=routes, **groups, **keywords)
        self.port = self.daemon.port

    def ask(self, name, qtype=wire.A, source=None, **keywords):
        with UDPClient(self.port, source=source) as client:
            return client.ask(name, qtype, **keywords)

    def went_to(self, name, qtype=wire.A, source=None):
        """Who was asked for a name."""
        response = self.ask(name, qtype, source)
        assert response is not None and response.rcode() == wire.NOERROR, response
        return [key for key, lab in self.labs.items() if lab.asked(name, qtype)]


def test_longest_suffix(build):
    """Label by label, whatever the letter case and the order of the file."""
    scene = Scene(build, [
        {"domains": ["lab.example"], "group": "other"},
        {"domains": ["corp.lab.example", "Mixed.LAB.example"], "group": "office"},
        {"domains": ["public.corp.lab.example"], "group": "other"},
    ])
    for name, expected in [
        ("corp.lab.example", "office"), ("a.corp.lab.example", "office"), ("a.b.c.d.corp.lab.example", "office"),
        ("notcorp.lab.example", "other"), ("public.corp.lab.example", "other"),
        ("x.public.corp.lab.example", "other"), ("x.mixed.lab.example", "office"), ("lab.example", "other"),
        ("example", "main"), ("xlab.example", "main"), ("lab.example.org", "main"),
    ]:
        assert scene.went_to(name) == [expected], name
    assert scene.ask("X.CORP.LAB.EXAMPLE").rcode() == 0
    assert scene.labs["office"].asked("x.corp.lab.example") == 1


def test_client_network(build):
    """127.0.0.2 has its own view of a zone: nothing of one view is given to the other out of the cache."""
    scene = Scene(build, [{"domains": ["lab.example"], "clients": ["127.0.0.2/32"], "group": "office"}])
    for source, expected in (("127.0.0.1", "main"), ("127.0.0.2", "office"), ("127.0.0.3", "main")):
        scene.ask("view.lab.example", source=source)
        assert scene.ask("view.lab.example", source=source).rcode() == 0
        assert scene.labs[expected].asked("view.lab.example") == 1, source
    with TCPClient(scene.port, source="127.0.0.2") as client:
        assert client.ask("stream.lab.example").rcode() == 0
    assert scene.labs["office"].asked("stream.lab.example") == 1


def test_type_and_conditions(build):
    """More conditions beat fewer for the same suffix."""
    scene = Scene(build, [
        {"domains": ["lab.example"], "group": "office"},
        {"domains": ["lab.example"], "types": ["AAAA", "TXT"], "group": "other"},
        {"domains": ["lab.example"], "types": ["TXT"], "clients": ["127.0.0.2/32"], "action": "refuse"},
    ])
    assert scene.went_to("t1.lab.example") == ["office"]
    assert scene.went_to("t1.lab.example", wire.AAAA) == ["other"]
    assert scene.went_to("t2.lab.example", wire.TXT) == ["other"]
    assert scene.ask("t2.lab.example", wire.TXT, "127.0.0.2").rcode() == wire.REFUSED
    assert scene.went_to("t3.lab.example", wire.AAAA, "127.0.0.2") == ["other"]


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("action,rcode", [("refuse", wire.REFUSED), ("nxdomain", wire.NXDOMAIN)])
def test_actions(build, action, rcode, tcp):
    scene = Scene(build, [{"domains": ["bad.lab.example"], "action": action}])
    client = TCPClient(scene.port) if tcp else UDPClient(scene.port)
    with client:
        response = client.ask("x.BAD.lab.example", edns=1232)
        assert response.rcode() == rcode and not response.answer
        assert extended_errors(response) == [BLOCKED]
        response = client.ask("y.bad.lab.example")
        assert response.rcode() == rcode and not response.options, "an OPT that nobody asked for"
        assert client.ask("good.lab.example").rcode() == wire.NOERROR
    assert scene.labs["main"].counters()["queries"] == 1
    engine = scene.daemon.statistics()["engine"]
    assert engine["routed"] == 2 and engine["failed"] == 0


def test_drop(build):
    """Silence over UDP; over TCP too, and the connection goes on."""
    scene = Scene(build, [{"domains": ["gone.lab.example"], "action": "drop"}])
    with UDPClient(scene.port) as client:
        client.send(wire.make_query("x.gone.lab.example", ident=1))
        assert client.ask("after.lab.example", seconds=3).rcode() == 0
        assert client.drain(0.2) == []
    with TCPClient(scene.port) as client:
        client.send_query("x.gone.lab.example", ident=7)
        assert client.ask("after2.lab.example", ident=8).id == 8
    engine = scene.daemon.statistics()["engine"]
    assert engine["dropped"]["routed"] == 2
    assert scene.labs["main"].asked("x.gone.lab.example") == 0


def test_route_without_cache(build):
    """Neither kept nor shared: each question of a client is one question upstream."""
    scene = Scene(build, [{"domains": ["live.lab.example"], "group": "office", "cache": False}])
    given = [addresses(scene.ask("a.count.live.lab.example", edns=1232)) for _ in range(3)]
    # The demand of a name ends at its label `lab`, so the counter works below a route too.
    assert given == [["198.51.100.1"], ["198.51.100.2"], ["198.51.100.3"]]
    scene.labs["office"].set(delay=200)
    with UDPClient(scene.port) as client:
        for ident in range(5):
            client.send(wire.make_query("same.live.lab.example", ident=ident))
        assert all(client.receive(3) is not None for _ in range(5))
    assert scene.labs["office"].asked("same.live.lab.example") == 5
    assert scene.went_to("kept.lab.example") == ["main"]
    scene.ask("kept.lab.example")
    assert scene.labs["main"].asked("kept.lab.example") == 1


def test_root_route_for_some_clients(build):
    """A guest network asks its own servers for everything, and its denials stay its own."""
    scene = Scene(build, [{"domains": ["."], "clients": ["127.0.0.2/32"], "group": "other"}])
    assert scene.went_to("any.lab.example", source="127.0.0.2") == ["other"]
    assert scene.ask("x.nxdomain.lab.example", source="127.0.0.2").rcode() == wire.NXDOMAIN
    scene.labs["main"].set(rcode=0)
    assert scene.ask("x.nxdomain.lab.example").rcode() == wire.NOERROR


def test_private_zone_by_route(build):
    """Reverse zones of private networks stay here, unless a route says who knows them (RFC 6303 section 4)."""
    scene = Scene(build, [{"domains": ["10.in-addr.arpa"], "upstreams": ["office"]}])
    assert scene.ask("1.2.3.10.in-addr.arpa", wire.PTR).rcode() == wire.NOERROR
    assert scene.labs["office"].asked("1.2.3.10.in-addr.arpa", wire.PTR) == 1
    assert scene.ask("1.1.168.192.in-addr.arpa", wire.PTR).rcode() == wire.NXDOMAIN
    assert all(not lab.asked("1.1.168.192.in-addr.arpa", wire.PTR) for lab in scene.labs.values())


def test_route_to_dead_upstream(build):
    """One zone's server is dead: its names fail with a reason, all others do not notice."""
    scene = Scene(build, [{"domains": ["corp.lab.example"], "group": "office"}])
    scene.labs["office"].stop_listening()
    for i in range(5):
        response = scene.ask(f"d{i}.corp.lab.example", edns=1232, seconds=5)
        assert response.rcode() == wire.SERVFAIL and extended_errors(response), response
        assert scene.went_to(f"d{i}.lab.example") == ["main"]
    states = {u["upstream"]: u["state"] for u in scene.daemon.statistics()["upstreams"]}
    assert states["main"] == "up" and states["office"] != "up", states
