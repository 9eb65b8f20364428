"""The network of the machine changes under the daemon: links, addresses, routes. Clients shall hardly notice.

Each test has two namespaces: the machine with the daemon and its clients, and the world behind two routers with the lab
upstream at 198.51.100.53. After each change the first answer has two seconds.
"""

import subprocess
import time

import pytest

import certs
import wire
from clients import UDPClient
from namespaces import namespaces

SERVER, ROUTER, OTHER_ROUTER = "198.51.100.53", "192.0.2.254", "203.0.113.254"


class Scene:
    """The machine, the world, a daemon and its upstream."""

    def __init__(self, build, machine, world, transport, **keywords):
        self.machine, self.world = machine, world
        machine.join(world, "up0", "192.0.2.1/24", f"{ROUTER}/24")
        machine.join(world, "up1", "203.0.113.1/24", f"{OTHER_ROUTER}/24")
        machine.ip(f"route add default via {ROUTER}")
        world.ip(f"addr add {SERVER}/32 dev lo")
        with world:
            self.lab = build.lab(address=SERVER, encrypted=transport == "tls")
        if transport == "tls":
            keywords["tls"] = {"ca": certs.shared().ca}
        with machine:
            self.daemon = build.daemon([self.lab.url_for(transport)], cache={"size": "0B"}, **keywords)
        self.transport, self.asked = transport, 0

    def ask(self, seconds=0.5):
        """Whether a fresh name is answered in time."""
        self.asked += 1
        with self.machine, UDPClient(self.daemon.port) as client:
            answer = client.ask(f"n{self.asked}.lab.example", seconds=seconds)
        return answer is not None and answer.rcode() == wire.NOERROR

    def warm_up(self):
        """Some connections are open and have answered."""
        with self.machine, UDPClient(self.daemon.port) as client:
            for i in range(20):
                client.send(wire.make_query(f"warm{i}.lab.example", ident=i))
            assert all(client.receive(2) is not None for _ in range(20))

    def lose(self, seconds=1.5):
        """Clients ask while nothing can be reached."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            self.ask(0.2)

    def answers_within(self, seconds=2):
        begin = time.monotonic()
        while time.monotonic() < begin + seconds:
            if self.ask(min(0.3, seconds)):
                return True
        return False

    def sources(self):
        """The local addresses of the daemon's sockets toward the upstream."""
        with self.machine:
            lines = subprocess.run(["ss", "-tunH", "state", "connected"], capture_output=True, text=True).stdout
        return {words[4].rsplit(":", 1)[0] for words in map(str.split, lines.splitlines())
                if words[5].startswith(f"{SERVER}:") and "TIME" not in words[1] and "FIN" not in words[1]}

    def moves_to(self, source, seconds=2):
        """Whether soon no socket has another local address."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            if self.sources() == {source}:
                return True
            time.sleep(0.05)
        return False

    def closed(self, reason="network"):
        return sum(p["closed"].get(reason, 0) for p in self.daemon.statistics()["pools"])

    def opened(self):
        return self.daemon.total("opened")


@pytest.fixture(params=["udp", "tcp"])
def scene(build, request):
    with namespaces(2) as (machine, world):
        yield Scene(build, machine, world, request.param)


def test_link_down_and_up(scene):
    """The link is taken down, with all routes over it, and comes back."""
    scene.warm_up()
    scene.machine.ip("link set up0 down")
    assert scene.daemon.wait_for_log("no way to 1 of 1 upstream")
    scene.lose()
    scene.machine.ip("link set up0 up", f"route add default via {ROUTER}")
    assert scene.answers_within(2)
    assert scene.daemon.wait_for_log("1 of 1 upstream addresses have another way")
    assert scene.daemon.failures("upstream") == 0


def test_cable_out_and_in(scene):
    """Only the carrier goes: address and routes stay, nothing is refused, and still it comes back at once."""
    scene.warm_up()
    scene.world.ip("link set up0 down")
    assert scene.daemon.wait_for_log("no way to 1 of 1 upstream")
    scene.lose()
    scene.world.ip("link set up0 up")
    assert scene.answers_within(2)
    assert scene.daemon.wait_for_log("1 of 1 upstream addresses have another way")


@pytest.mark.parametrize("scene", ["udp", "tcp", "tls"], indirect=True)
def test_renumbered(scene):
    """Another address from the same router: connections from the old one are closed, for that reason."""
    scene.warm_up()
    scene.machine.ip("addr del 192.0.2.1/24 dev up0")
    time.sleep(0.5)
    scene.machine.ip("addr add 192.0.2.7/24 dev up0", f"route add default via {ROUTER}")
    assert scene.answers_within(2)
    assert scene.closed() >= 1, "closed with the reason 'network'"
    assert scene.daemon.wait_for_log("the network changed)")
    assert scene.moves_to("192.0.2.7")
    assert scene.daemon.failures("upstream") == 0


def test_renumbered_at_once(scene):
    """The old address is gone and the new one there before anybody could look in between."""
    scene.warm_up()
    scene.machine.ip("addr add 192.0.2.7/24 dev up0")
    time.sleep(0.5)
    before = scene.opened()
    assert scene.closed() == 0 and scene.ask() and scene.opened() <= before + 1, "one address more disturbs nobody"
    scene.machine.ip("addr del 192.0.2.1/24 dev up0")  # takes the second one along
    scene.machine.ip("addr replace 192.0.2.7/24 dev up0", f"route replace default via {ROUTER}")
    assert scene.answers_within(2)
    # A UDP socket may have learned of it by its next send, and was closed for that error then.
    assert scene.closed() + scene.closed("error") >= 1
    assert scene.moves_to("192.0.2.7")


def test_default_route_moves(scene):
    """Another way, while the old address stays: what is bound to it goes there no longer."""
    scene.warm_up()
    assert scene.sources() == {"192.0.2.1"}
    scene.machine.ip(f"route replace default via {OTHER_ROUTER}")
    assert scene.answers_within(2)
    assert scene.daemon.wait_for_log("1 of 1 upstream addresses have another way")
    scene.warm_up()
    assert scene.closed() >= 1
    assert scene.moves_to("203.0.113.1")


def test_containers_do_not_disturb(scene):
    """Links and addresses of others come and go: no connection is closed, none opened."""
    scene.warm_up()
    before = scene.opened()
    for i in range(15):
        scene.machine.ip(f"link add c{i} type veth peer name d{i}", f"addr add 10.{i}.0.1/24 dev c{i}",
                         f"link set c{i} up", f"link set d{i} up")
    scene.machine.ip("link add bridge0 type bridge", "link set bridge0 up", "link set c1 master bridge0")
    time.sleep(0.7)
    for i in range(15):
        scene.machine.ip(f"link del c{i}")
    time.sleep(0.7)
    assert scene.ask()
    assert scene.closed() == 0
    assert scene.opened() <= before + 1, "a UDP socket may have reached its own age"
    assert "the network changed" not in scene.daemon.log()


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_ipv6(build, tcp):
    """IPv6 addresses vanish with their link; the router gives another prefix when it is back."""
    server = "2001:db8:53::53"
    with namespaces(2) as (machine, world):
        machine.join(world, "up0", "2001:db8:1::1/64", "2001:db8:1::fe/64")
        machine.ip("-6 route add default via 2001:db8:1::fe")
        world.ip(f"addr add {server}/128 dev lo", "addr add 2001:db8:2::fe/64 dev up0 nodad")
        with world:
            lab = build.lab(address=server)
        with machine:
            daemon = build.daemon([lab.tcp_url if tcp else lab.url], cache={"size": "0B"})
            with UDPClient(daemon.port) as client:
                assert client.ask("before.lab.example").rcode() == wire.NOERROR
                machine.ip("link set up0 down")
                assert daemon.wait_for_log("no way to 1 of 1 upstream")
                machine.ip("link set up0 up", "addr add 2001:db8:2::1/64 dev up0 nodad",
                           "-6 route add default via 2001:db8:2::fe")
                begin = time.monotonic()
                answers = (client.ask(f"after{i}.lab.example", seconds=0.3) for i in range(20))
                assert any(answer is not None and answer.rcode() == wire.NOERROR for answer in answers)
                assert time.monotonic() - begin < 2
        assert daemon.failures("upstream") == 0
        assert sum(p["closed"]["network"] for p in daemon.statistics()["pools"]) >= 1


def test_starts_without_network(build):
    """The daemon is there before the network: when that comes, so do answers."""
    with namespaces(2) as (machine, world):
        machine.join(world, "up0", "192.0.2.1/24", f"{ROUTER}/24")
        world.ip(f"addr add {SERVER}/32 dev lo")
        with world:
            lab = build.lab(address=SERVER)
        machine.ip("link set up0 down")
        with machine:
            daemon = build.daemon([lab.tcp_url])
            with UDPClient(daemon.port) as client:
                answer = client.ask("early.lab.example", seconds=5)
                assert answer is not None and answer.rcode() == wire.SERVFAIL
        machine.ip("link set up0 up", f"route add default via {ROUTER}")
        begin = time.monotonic()
        with machine, UDPClient(daemon.port) as client:
            while time.monotonic() < begin + 2:
                answer = client.ask("late.lab.example", seconds=0.3)
                if answer is not None and answer.rcode() == wire.NOERROR:
                    return
        raise AssertionError("no answer within two seconds of the network's coming:\n" + daemon.log())
