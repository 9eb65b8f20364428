"""Answers fit the client's UDP size or say TC; TC from the upstream is asked again over TCP and never kept."""

import dns.flags
import pytest

import wire
from clients import UDPClient, addresses, read


@pytest.fixture(scope="module")
def stack(build_shared):
    return build_shared()


def is_truncated(response):
    return bool(response.flags & dns.flags.TC)


@pytest.mark.parametrize("edns,limit", [(None, 512), (0, 512), (100, 512), (512, 512), (1000, 1000), (1232, 1232),
                                        (4096, 1232), (65535, 1232)])
def test_size_of_the_client(stack, edns, limit):
    """Around the limit: what fits is whole, what does not has TC, and never is the limit passed."""
    with UDPClient(stack.port) as client:
        for size in (limit - 120, limit - 1, limit, limit + 1, limit + 200):
            message = wire.make_query(f"s.size-{size}.lab.example", wire.TXT, ident=3, edns=edns)
            answer = client.exchange(message)
            response = read(answer)
            assert len(answer) <= limit
            if size <= limit - 60:
                assert not is_truncated(response) and response.answer
            if size >= limit + 60:
                assert is_truncated(response)


def test_whole_record_sets_or_none(stack):
    response = stack.ask("w.huge-100.lab.example")
    assert is_truncated(response) and len(addresses(response)) in (0, 100)
    assert response.edns == -1


def test_truncated_answer_keeps_opt(stack):
    response = stack.ask("o.huge-200.lab.example", edns=512)
    assert is_truncated(response) and response.edns == 0


def test_client_goes_to_tcp(stack):
    assert is_truncated(stack.ask("t.huge-100.lab.example"))
    assert len(addresses(stack.tcp().ask("t.huge-100.lab.example"))) == 100


@pytest.mark.parametrize("word", ["tc", "tcfull"])
def test_upstream_truncates(stack, word):
    name = f"u.{word}.lab.example"
    response = stack.ask(name, edns=1232)
    assert not is_truncated(response) and addresses(response) == [wire.address4(name)]
    assert stack.lab.asked(name) == 2, "once over UDP, once over TCP"
    stack.ask(name)
    assert stack.lab.asked(name) == 2, "the answer over TCP is kept"


def test_truncation_is_not_remembered_for_others(stack):
    stack.ask("v.tc.lab.example")
    before = stack.lab.counters()["tcp"]
    stack.ask("v2.lab.example")
    assert stack.lab.counters()["tcp"] == before


def test_truncated_over_tcp_too(stack):
    """A server that says TC over TCP has no answer: an error in bounded time, nothing kept."""
    response = stack.ask("x.tc.both.lab.example")
    assert response is not None and (response.rcode() == wire.SERVFAIL or is_truncated(response))


def test_tcp_refused_after_tc(build):
    """TC, and nobody listens on TCP: an answer in bounded time, not silence."""
    stack = build(lab={"refuse_tcp": True})
    response = stack.ask("y.tc.lab.example")
    assert response is not None and (response.rcode() == wire.SERVFAIL or is_truncated(response))
    assert stack.ask("y2.lab.example").rcode() == 0
