"""Groups: strategies counted at the lab, hedges, fallback groups, and probes of members that failed."""

import time

import pytest

import wire
from bursts import right, wait_until
from clients import UDPClient, extended_errors


def shares(stack, count, prefix):
    """How many of `count` fresh names each lab was asked for."""
    for lab in stack.labs:
        lab.reset()
    with UDPClient(stack.port) as client:
        for i in range(count):
            assert client.ask(f"{prefix}{i}.lab.example").rcode() == 0
    return [lab.counters()["queries"] for lab in stack.labs]


def upstreams(stack):
    return stack.daemon.statistics()["upstreams"]


def tables(labs, **each):
    """[[upstream]] tables for labs, with lists of values for further keys."""
    found = [{"name": f"lab{i}", "url": lab.url} for i, lab in enumerate(labs)]
    for key, values in each.items():
        for table, value in zip(found, values):
            table[key] = value
    return found


def test_weighted(build):
    """By weight, and a member that is dead gives its share to the others."""
    labs = [build.lab() for _ in range(3)]
    build.daemon(["lab0", "lab1", "lab2"], upstream=tables(labs, weight=[1, 3, 6]), group={"strategy": "weighted"})
    stack = build.stacks[-1]
    stack.labs = labs
    found = shares(stack, 200, "we")
    assert sum(found) == 200
    assert 5 <= found[0] <= 45 and 35 <= found[1] <= 90 and 85 <= found[2] <= 155, found
    labs[2].stop_listening()
    for i in range(60):
        assert right(stack.ask(f"dead{i}.lab.example"), f"dead{i}.lab.example")


def test_sticky(build):
    """A name goes to one member, whatever its type and letter case; names are spread; one member's death moves only
    its own names."""
    stack = build(labs=3, group={"strategy": "sticky"}, cache={"size": "0B"})
    names = [f"sticky{i}.lab.example" for i in range(60)]
    owner = {}
    for name in names:
        for qtype in (wire.A, wire.AAAA, wire.A):
            assert stack.ask(name.upper() if qtype == wire.AAAA else name, qtype).rcode() == 0
        asked = [lab.asked(name) + lab.asked(name, wire.AAAA) for lab in stack.labs]
        assert sorted(asked) == [0, 0, 3], (name, asked)
        owner[name] = asked.index(3)
    assert all(list(owner.values()).count(i) >= 8 for i in range(3)), owner
    stack.labs[1].set(silent=True)
    for name in names:
        assert stack.ask(name).rcode() == 0
        if owner[name] != 1:
            assert stack.labs[owner[name]].asked(name) == 3, "the name of a living member has moved"


def test_sticky_is_the_same_after_a_restart(build):
    labs = [build.lab() for _ in range(3)]
    found = []
    for _ in range(2):
        for lab in labs:
            lab.reset()
        daemon = build.daemon([lab.url for lab in labs], group={"strategy": "sticky"})
        stack = build.stacks[-1]
        for i in range(20):
            assert stack.ask(f"again{i}.lab.example").rcode() == 0
        found.append([[lab.asked(f"again{i}.lab.example") for lab in labs] for i in range(20)])
        assert daemon.stop() == 0
    assert found[0] == found[1]


def test_parallel(build):
    """Two of three are asked at once and the first good answer wins: a quick SERVFAIL does not."""
    stack = build(lab=[{"delay": 60}] * 3, group={"strategy": "parallel", "parallel": 2})
    assert sum(shares(stack, 20, "pa")) == 40
    stack.labs[0].set(rcode=2, delay=0)
    stack.labs[1].set(rcode=2, delay=0)
    for i in range(20):
        assert right(stack.ask(f"pb{i}.lab.example"), f"pb{i}.lab.example"), i


def test_parallel_of_all(build):
    """The quickest of all decides, and the dead one costs nothing."""
    stack = build(lab=[{"delay": 400}, {"silent": True}, {"delay": 20}], group={"strategy": "parallel", "parallel": 3})
    begin = time.monotonic()
    for i in range(10):
        assert right(stack.ask(f"pc{i}.lab.example"), f"pc{i}.lab.example")
    assert time.monotonic() - begin < 2.5


def test_fastest_explores(build):
    """The slower one is measured again now and then: when it becomes the quick one, it gets the queries."""
    stack = build(lab=[{"delay": 2}, {"delay": 80}], group={"strategy": "fastest", "explore": "20%"})
    found = shares(stack, 60, "fx")
    assert found[0] > found[1] >= 1, found
    stack.labs[0].set(delay=150)
    stack.labs[1].set(delay=2)
    shares(stack, 60, "fy")
    found = shares(stack, 40, "fz")
    assert found[1] > found[0], found


def test_hedge(build):
    """Each tenth answer of the first member takes 400 ms: the second one's comes first. Nobody is down for it."""
    stack = build(labs=2, group={"hedge": "60ms"})
    for i in range(60):
        stack.labs[0].set(delay=400 if i % 10 == 5 else 0)
        begin = time.monotonic()
        assert right(stack.ask(f"he{i}.lab.example"), f"he{i}.lab.example")
        assert time.monotonic() - begin < 0.35
    first, second = upstreams(stack)
    assert second["hedges"] >= 6 and second["hedges_won"] >= 6, second
    # The member that was late pays.
    assert first["extras"]["hedge"] == second["hedges"] == stack.labs[1].counters()["queries"]
    assert first["state"] == "up" and first["downs"] == 0


def test_hedge_budget(build):
    """Everything is late: once the store of the start is used up, extra queries stay at the floor of 25 a second and a
    tenth of the clients'; what was not granted is counted."""
    stack = build(lab=[{"delay": 150}] * 2, group={"hedge": "20ms"}, server={"max_inflight_per_client": 0})
    spent = []
    for burst in range(3):
        begin, before = time.monotonic(), stack.labs[1].counters()["queries"]
        with UDPClient(stack.port) as client:
            for i in range(300):
                client.send(wire.make_query(f"hb{burst}-{i}.lab.example", ident=i))
                time.sleep(0.002)
            assert all(client.receive(3) is not None for _ in range(300))
        spent.append((stack.labs[1].counters()["queries"] - before, time.monotonic() - begin))
    assert spent[0][0] <= 250, spent
    for count, seconds in spent[1:]:
        assert count <= 300 * 0.1 + 25 * seconds + 10, spent
    assert upstreams(stack)[0]["extras_denied"]["hedge"] > 100


@pytest.mark.parametrize("when_down", ["stale", "fallback"])
def test_fallback(build, when_down):
    """The second group is asked while every member of the first is down, and not a moment longer."""
    labs = [build.lab(), build.lab(), build.lab()]
    build.daemon([labs[0].url, labs[1].url], group={"fallback": "reserve", "when_down": when_down},
                 health={"mode": "lazy", "backoff_max": "2s"}, **{"group.reserve": {"upstreams": [labs[2].url]}})
    stack = build.stacks[-1]
    assert right(stack.ask("well.lab.example"), "well.lab.example")
    assert labs[2].counters()["queries"] == 0
    labs[0].stop_listening()
    labs[1].stop_listening()
    for i in range(20):
        response = stack.ask(f"fb{i}.lab.example", seconds=5)
        assert response is not None
    for i in range(10):
        begin = time.monotonic()
        assert right(stack.ask(f"fc{i}.lab.example"), f"fc{i}.lab.example")
        assert time.monotonic() - begin < 0.5
    assert labs[2].counters()["queries"] >= 10
    assert stack.daemon.statistics()["engine"]["fallbacks"] >= 10
    labs[0].start_listening()
    assert wait_until(lambda: upstreams(stack)[0]["state"] == "up", 8), upstreams(stack)
    labs[2].reset()
    for i in range(10):
        assert right(stack.ask(f"fd{i}.lab.example"), f"fd{i}.lab.example")
    assert labs[2].counters()["queries"] == 0


def test_all_down_tells_the_group(build):
    """SERVFAIL says which group does not answer (RFC 8914)."""
    stack = build(health={"mode": "lazy"})
    stack.ask("ok.lab.example")
    stack.lab.set(silent=True)
    for i in range(5):
        response = stack.ask(f"dn{i}.lab.example", edns=1232, seconds=6)
        assert response.rcode() == wire.SERVFAIL
    assert extended_errors(response)[0] in (22, 23)


def test_lazy_probes(build):
    """Only who failed is probed, over its usual transport; it is used again soon after it is back."""
    stack = build(labs=2, health={"mode": "lazy", "backoff_max": "2s"})
    stack.ask("a.lab.example")
    stack.labs[0].set(silent=True)
    for i in range(8):
        assert right(stack.ask(f"lp{i}.lab.example"), f"lp{i}.lab.example")
    assert wait_until(lambda: upstreams(stack)[0]["state"] in ("down", "probing"))
    time.sleep(4)
    found = upstreams(stack)
    assert found[0]["probes"] >= 2 and found[0]["probes_answered"] == 0, found
    assert found[1]["probes"] == 0 and found[1]["state"] == "up", found
    stack.labs[0].set(silent=False)
    begin = time.monotonic()
    assert wait_until(lambda: upstreams(stack)[0]["state"] == "up", 6)
    assert time.monotonic() - begin < 4
    assert upstreams(stack)[0]["probes_answered"] >= 1
    stack.labs[0].reset()
    stack.ask("back.lab.example")
    assert stack.labs[0].asked("back.lab.example") == 1


def test_active_probes(build):
    """Everyone is asked at every interval, without any client."""
    stack = build(labs=2, health={"mode": "active", "interval": "1s", "query": "probe.lab.example TXT"})
    assert wait_until(lambda: all(u["probes_answered"] >= 2 for u in upstreams(stack)), 6), upstreams(stack)
    assert all(lab.asked("probe.lab.example", wire.TXT) >= 2 for lab in stack.labs)
    stack.labs[1].stop_listening()
    assert wait_until(lambda: upstreams(stack)[1]["state"] in ("down", "probing"), 8), upstreams(stack)
    stack.labs[1].start_listening()
    assert wait_until(lambda: upstreams(stack)[1]["state"] == "up", 14)


@pytest.mark.parametrize("group", [{"strategy": "ordered"}, {"strategy": "parallel", "parallel": 2}])
def test_no_edns_upstream(build, group):
    """FORMERR without OPT: the query goes again without EDNS, no client sees it, and nobody is down for it."""
    stack = build(lab=[{"no_edns": True}] * 2, group=group)
    for i in range(10):
        response = stack.ask(f"ne{i}.lab.example", edns=1232)
        assert right(response, f"ne{i}.lab.example"), response
    assert all(u["state"] == "up" for u in upstreams(stack))
