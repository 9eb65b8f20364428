"""IPv6 on both sides: listener on ::1, upstream on ::1."""

import pytest

import wire
from clients import TCPClient, UDPClient, addresses


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_all_the_way(build, tcp):
    stack = build(lab={"address": "::1"}, tcp=tcp, address="::1")
    with UDPClient(stack.port, "::1") as client:
        for name in ("six.lab.example", "six.tc.lab.example", "six.wrongid.lab.example", "six.drop-1.lab.example"):
            assert addresses(client.ask(name)) == [wire.address4(name)]
        assert addresses(client.ask("six.lab.example", wire.AAAA)) == [wire.address6("six.lab.example")]
    with TCPClient(stack.port, "::1") as client:
        assert client.ask("six2.lab.example").rcode() == 0


def test_failover_between_families(build):
    six, four = build.lab(address="::1"), build.lab()
    six.stop_listening()
    build.daemon([six.url, four.url])
    assert build.stacks[-1].ask("mixed.lab.example").rcode() == 0
    assert four.counters()["queries"] == 1
