"""What the cache keeps, for how long, and for whom. The name `count` tells a fresh answer from a kept one."""

import time

import pytest

import wire
from clients import UDPClient, addresses, texts


@pytest.fixture(scope="module")
def stack(build_shared):
    return build_shared()


def test_ttl_counts_down(stack):
    first = stack.ask("a.ttl-300.count.lab.example")
    time.sleep(1.6)
    second = stack.ask("a.ttl-300.count.lab.example")
    assert first.answer[0].ttl == 300 and second.answer[0].ttl in (298, 299)
    assert addresses(first) == addresses(second) == ["198.51.100.1"]


def test_expiry(stack):
    assert addresses(stack.ask("b.ttl-1.count.lab.example")) == ["198.51.100.1"]
    time.sleep(1.3)
    assert addresses(stack.ask("b.ttl-1.count.lab.example")) == ["198.51.100.2"]


def test_ttl_zero_is_not_kept(stack):
    assert [addresses(stack.ask("c.ttl-0.count.lab.example"))[0][-1] for _ in range(3)] == ["1", "2", "3"]


def test_ttl_with_the_top_bit_is_zero(stack):
    """RFC 2181 section 8."""
    name = f"d.ttl-{(1 << 31) + 5}.count.lab.example"
    first = stack.ask(name)
    assert first.answer[0].ttl == 0
    stack.ask(name)
    assert stack.lab.asked(name) == 2


def test_clamps(build):
    stack = build(cache={"min_ttl": "10s", "max_ttl": "60s"})
    assert stack.ask("e.ttl-1.lab.example").answer[0].ttl in (1, 10)
    assert stack.ask("e.ttl-5000.lab.example").answer[0].ttl in (60, 5000)
    assert 5 <= stack.ask("e.ttl-1.lab.example").answer[0].ttl <= 10
    assert stack.ask("e.ttl-5000.lab.example").answer[0].ttl <= 60
    assert stack.lab.asked("e.ttl-1.lab.example") == 1


@pytest.mark.parametrize("name,rcode,ttl", [
    ("f.nxdomain.soattl-100.soamin-7", 3, 7), ("f.nxdomain.soattl-7.soamin-100", 3, 7),
    ("f.nodata.soattl-100.soamin-7", 0, 7), ("f.nxdomain.soattl-90000.soamin-90000", 3, 3600),
])
def test_negative(stack, name, rcode, ttl):
    name += ".lab.example"
    for _ in range(2):
        response = stack.ask(name)
        assert response.rcode() == rcode and not response.answer
    assert ttl - 2 <= response.authority[0].ttl <= ttl, "RFC 2308: the smaller of the SOA's TTL and its MINIMUM, capped"
    assert stack.lab.asked(name) == 1


def test_negative_expires(stack):
    name = "g.nxdomain.soattl-1.soamin-1.lab.example"
    stack.ask(name)
    time.sleep(1.3)
    stack.ask(name)
    assert stack.lab.asked(name) == 2


@pytest.mark.parametrize("name", ["h.nxdomain.nosoa.lab.example", "h.nodata.nosoa.lab.example"])
def test_negative_without_soa_is_not_kept(stack, name):
    stack.ask(name)
    stack.ask(name)
    assert stack.lab.asked(name) == 2


def test_nxdomain_is_for_all_types(stack):
    """RFC 2308 section 5: NXDOMAIN is kept for the name, whatever the type; RFC 8020: and for what is below it."""
    stack.ask("i.nxdomain.lab.example")
    assert stack.ask("i.nxdomain.lab.example", wire.AAAA).rcode() == 3
    assert stack.lab.asked("i.nxdomain.lab.example", wire.AAAA) <= 1


def test_letter_case(stack):
    """One entry for all cases; each client gets its own back."""
    for name in ("case.count.lab.example", "CASE.count.lab.example", "CaSe.CoUnT.LAB.example"):
        with UDPClient(stack.port) as client:
            encoded = wire.encode_name(name)
            answer = client.exchange(wire.make_query(encoded, ident=5))
            assert answer[12:12 + len(encoded)] == encoded
    assert stack.lab.asked("case.count.lab.example") == 1


def test_only_letters_are_folded(stack):
    """@ and `, [ and { differ in the same bit as letters do, but are not letters."""
    with UDPClient(stack.port) as client:
        for first, second in ((b"@", b"`"), (b"[", b"{"), (b"]", b"}")):
            before = stack.lab.counters()["distinct_names"]
            for mark in (first, second):
                client.ask(b"\1" + mark + wire.encode_name("fold.lab.example"))
            assert stack.lab.counters()["distinct_names"] == before + 2


def test_label_boundaries(stack):
    """`a.b` as one label and as two are different names."""
    one = b"\3a.b" + wire.encode_name("lab.example")
    with UDPClient(stack.port) as client:
        before = stack.lab.counters()["distinct_names"]
        client.ask(one)
        client.ask("a.b.lab.example")
        assert stack.lab.counters()["distinct_names"] == before + 2


@pytest.mark.parametrize("first,second", [
    ({}, {"edns": 1232, "do": True}), ({"flags": wire.RD | wire.CD}, {}),
    ({"edns": 1232, "do": True}, {"edns": 1232, "do": True, "flags": wire.RD | wire.CD}),
])
def test_do_and_cd_are_kept_apart(stack, first, second):
    name = f"do{abs(hash(str((first, second)))) % 10 ** 6}.signed.lab.example"
    one, two = stack.ask(name, **first), stack.ask(name, **second)
    assert stack.lab.asked(name) == 2
    for response, keywords in ((one, first), (two, second)):
        signed = any(int(r.rdtype) == wire.RRSIG for r in response.answer)
        assert signed == bool(keywords.get("do"))


def test_classes_and_types_are_apart(stack):
    assert addresses(stack.ask("types.lab.example")) != addresses(stack.ask("types.lab.example", wire.AAAA))


def test_rotation(stack):
    """The addresses of a set change their order between hits; none is lost."""
    orders = set()
    for _ in range(12):
        response = stack.ask("rotate.huge-4.lab.example")
        orders.add(tuple(r.address for r in response.answer[0]))
        assert len(addresses(response)) == 4
    assert len(orders) > 1
    assert stack.lab.asked("rotate.huge-4.lab.example") == 1


def test_cname_order_stays(stack):
    for _ in range(5):
        response = stack.ask("chain.cname-4.lab.example")
        assert [int(r.rdtype) for r in response.answer] == [5, 5, 5, 5, 1]
        owner = response.question[0].name
        for rrset in response.answer[:-1]:
            assert rrset.name == owner
            owner = rrset[0].target
        assert response.answer[-1].name == owner


def test_servfail_is_kept_shortly(stack):
    """RFC 9520: a failure is remembered, so that a storm of retries does not reach the upstream."""
    for _ in range(5):
        assert stack.ask("fail.rcode-2.lab.example").rcode() == wire.SERVFAIL
    assert stack.lab.asked("fail.rcode-2.lab.example") <= 3


def test_failure_ends(build):
    stack = build(cache={"failure_ttl": "1s"})
    assert stack.ask("x.fail-1.lab.example").rcode() in (0, 2)
    limit = time.monotonic() + 4
    while stack.ask("x.fail-1.lab.example").rcode() != 0:
        assert time.monotonic() < limit, "a failure is kept for ever"
        time.sleep(0.2)


def test_unrelated_records(stack):
    """Records that nobody asked for are neither given nor kept (RFC 2181 5.4.1, cache poisoning)."""
    response = stack.ask("p.extra.lab.example")
    assert all(str(r.name) != "victim.example." for r in response.answer)
    assert addresses(stack.ask("victim.example")) == [wire.address4("victim.example")]
    assert addresses(stack.ask("ns.evil.example")) == [wire.address4("ns.evil.example")]


def test_cname_to_nxdomain(stack):
    for _ in range(2):
        response = stack.ask("q.cnamenx.lab.example")
        assert response.rcode() == 3 and int(response.answer[0].rdtype) == 5
    assert stack.lab.asked("q.cnamenx.lab.example") == 1
    assert stack.ask("q2.lab.example").rcode() == 0


def test_cname_loop(stack):
    response = stack.ask("r.cnameloop.lab.example")
    assert response is not None and response.rcode() in (0, 2)


def test_size_zero_is_off(build):
    stack = build(cache={"size": "0B"})
    assert [addresses(stack.ask("s.count.lab.example"))[0][-1] for _ in range(2)] == ["1", "2"]


def test_memory_is_bounded(build):
    """Twenty times more answers than a small cache holds: the daemon does not grow with them."""
    stack = build(cache={"size": "1MiB"}, server={"max_inflight_per_client": 0})
    before = stack.daemon.rss()
    with UDPClient(stack.port) as client:
        for round_ in range(150):
            for i in range(200):
                client.send(wire.make_query(f"m{round_}-{i}.lab.example", wire.TXT, ident=i))
            got = sum(client.receive(2) is not None for _ in range(200))
            assert got == 200
    assert stack.daemon.rss() - before < 24 << 20
    assert texts(stack.ask("m149-199.lab.example", wire.TXT)) == ["m149-199.lab.example"]


def test_coalescing(build):
    """Equal questions in flight share one upstream query; each client keeps its id and letter case."""
    stack = build(lab={"delay": 150})
    clients = [stack.udp() for _ in range(50)]
    for i, client in enumerate(clients):
        name = wire.encode_name("join.lab.example" if i % 2 else "JOIN.lab.EXAMPLE")
        client.send(wire.make_query(name, ident=1000 + i))
    for i, client in enumerate(clients):
        answer = client.receive()
        assert answer[:2] == (1000 + i).to_bytes(2, "big")
        assert answer[13:17] == (b"join" if i % 2 else b"JOIN")
    assert stack.lab.asked("join.lab.example") == 1
