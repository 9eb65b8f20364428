"""Listening on 0.0.0.0 and [::]: the reply leaves from the address that was asked."""

import socket

import pytest

import wire
from clients import TCPClient, UDPClient
from daemon import free_port


@pytest.fixture(scope="module")
def stack(build_shared):
    port = free_port()
    return build_shared(port=port, server={"listen": [f"0.0.0.0:{port}", f"[::]:{port}"]})


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.5", "127.1.2.3", "::1"])
def test_reply_comes_from_the_asked_address(stack, address):
    """A connected socket gets only what comes from there; an unconnected one shows the address."""
    with UDPClient(stack.port, address) as client:
        assert client.ask("wild.lab.example", seconds=2).rcode() == 0
        assert client.ask(f"miss-{address.replace(':', 'x')}.lab.example", seconds=2).rcode() == 0
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(2)
        client.sendto(wire.make_query("wild.lab.example", ident=5), (address, stack.port))
        assert client.recvfrom(4096)[1][:2] == (address, stack.port)


@pytest.mark.parametrize("address", ["127.0.0.5", "::1"])
def test_tcp(stack, address):
    with TCPClient(stack.port, address) as client:
        assert client.ask("tcp.lab.example").rcode() == 0


def test_both_families_at_once(stack):
    """[::] does not take IPv4 with it: both listeners live on one port."""
    with UDPClient(stack.port) as four, UDPClient(stack.port, "::1") as six:
        assert four.ask("four.lab.example").rcode() == six.ask("six.lab.example").rcode() == 0
