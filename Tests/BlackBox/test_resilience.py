"""What clients notice while upstreams die, restart, fail and come back, with real sockets and a steady load.

The lab upstreams fail as a whole, by their control channel; the names are ordinary ones. Times are those of the events
as they happened, not as they were planned. FLEETWING_OUTAGE is how long everything is dark, in seconds.
"""

import os
import time

import pytest

import wire
from bursts import right
from steady import PATIENCE, SteadyLoad

OUTAGE = float(os.environ.get("FLEETWING_OUTAGE", "10"))
NEAR = 10  # milliseconds from the daemon to a lab upstream


@pytest.fixture
def shipped(build):
    """Stacks with probes, hedges and stale answers as they are by default: other black-box tests switch them off, since
    they count queries."""
    def make(strategy="ordered", hedge="auto", **keywords):
        return build(group={"strategy": strategy, "hedge": hedge}, health={"mode": "lazy"},
                     cache={"stale": "1d", "prefetch": "10%"}, **keywords)
    return make


def told(record):
    """What an assertion shows of a load."""
    worst = sorted(record.queries, key=lambda query: -query.patience)[:5]
    return record.summary() + "; worst: " + ", ".join(
        f"{q.name.split('.')[0]} at {q.sent:.2f} s rcode {q.rcode} after {q.latency}" for q in worst)


# MARK: the first of three is silent

@pytest.mark.parametrize("strategy,transport,deaf", [
    ("ordered", "udp", False), ("fastest", "udp", False), ("ordered", "tcp", False), ("fastest", "tls", True)])
def test_first_of_three_black_holed(shipped, strategy, transport, deaf):
    """Nobody fails; the median stays within 1.3 of the healthy one, and after a second the slowest 1 % below 500 ms."""
    stack = shipped(labs=3, lab={"delay": NEAR}, transport=transport, strategy=strategy)
    record = SteadyLoad(stack.port, rate=200, events=[(3, lambda: stack.lab.black_hole(deaf))]).run(7)
    began = record.events[3]
    healthy, dark = record.between(0.5, began - 0.2), record.between(began)
    assert not healthy.failed, told(healthy)
    assert not dark.failed, told(dark)
    assert dark.median() <= 1.3 * healthy.median(), (told(healthy), told(dark))
    settled = record.between(began + 1)
    assert settled.percentile(99) < 0.5, told(settled)
    # What is down gets probes and the odd try, not a share of the load.
    assert stack.lab.counters()["swallowed"] <= 0.2 * len(dark.queries)


# MARK: all are silent, then back

@pytest.mark.parametrize("transport,deaf", [("udp", False), ("tcp", False), ("tls", True)])
def test_all_black_holed_then_back(shipped, transport, deaf):
    """Dark for a while: every client is told so in time. Back: the first answer within 2 s, then no failure, also for
    a name that failed in the dark."""
    stack = shipped(labs=3, lab={"delay": NEAR}, transport=transport)
    back = 1 + OUTAGE
    again = []

    def name(number):
        return f"n{number}.lab.example"

    def ask_again():
        failed = name(int((back - PATIENCE + 0.5) * 100))
        again.append((failed, stack.ask(failed, seconds=2)))

    record = SteadyLoad(stack.port, rate=100, name=name, events=[
        (1, lambda: [lab.black_hole(deaf) for lab in stack.labs]),
        (back, lambda: [lab.come_back() for lab in stack.labs]),
        (back + 2, ask_again)]).run(back + 5)
    assert all(query.rcode is not None for query in record.queries), told(record)
    end = record.events[back]
    first = record.first_right(end)
    assert first is not None and first < 2, (first, told(record.between(end)))
    assert not record.between(end + 2).failed, told(record.between(end + 2))
    assert right(again[0][1], again[0][0]), again


# MARK: restarts under load

@pytest.mark.parametrize("transport,reset", [
    ("udp", True), ("tcp", True), ("tls", True), ("tls", False), ("https", True)])
def test_restart_beside_another(shipped, transport, reset):
    """The preferred of two goes away twice: no client sees a failure, and between it is used again within 2 s."""
    stack = shipped(labs=2, lab={"delay": 2 * NEAR}, transport=transport)
    counts = []
    record = SteadyLoad(stack.port, rate=300, events=[
        (1, lambda: stack.lab.stop_listening(reset)), (2, lambda: counts.append(stack.lab.counters()["queries"])),
        (2, stack.lab.start_listening), (4.2, lambda: counts.append(stack.lab.counters()["queries"])),
        (4.5, lambda: stack.lab.stop_listening(reset)), (5, stack.lab.start_listening)]).run(6)
    assert not record.failed, told(record)
    assert record.percentile(99) < 1, told(record)
    assert counts[1] > counts[0], "the first member is used again"


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_restart_of_the_only_one(shipped, transport):
    """Connections that are reset cost nobody an answer where the upstream listens again at once. A second without it
    may cost answers, but not a moment longer than it lasts."""
    stack = shipped(lab={"delay": 2 * NEAR}, transport=transport)

    record = SteadyLoad(stack.port, rate=200, events=[
        (1, stack.lab.restart), (2.5, stack.lab.stop_listening), (3.5, stack.lab.start_listening)]).run(7)
    quick = record.between(0, record.events[2.5] - 0.2)
    assert not quick.failed, told(quick)
    end = record.events[3.5]
    first = record.first_right(end)
    assert first is not None and first < 2, (first, told(record.between(end)))
    assert not record.between(end + 2).failed, told(record.between(end + 2))
    assert all(query.rcode is not None for query in record.queries), told(record)


def test_a_client_that_asks_again_gets_its_answer(shipped):
    """Two seconds without any upstream: stub resolvers, which ask again after five seconds, all get their answer."""
    stack = shipped(lab={"delay": NEAR})
    record = SteadyLoad(stack.port, rate=50, retry=True, events=[
        (1, lambda: stack.lab.black_hole()), (3, lambda: stack.lab.come_back())]).run(5)
    silent = [query for query in record.queries if query.rcode is None]
    assert not silent, told(record)
    assert not record.between(record.events[3] + 2).failed, told(record)


# MARK: names that fail

@pytest.mark.parametrize("labs", [1, 2])
def test_failing_zone_leaves_the_upstream_healthy(shipped, labs):
    """Three of four queries are for a zone that everybody fails: the others are answered, by the preferred upstream."""
    zone = "broken.lab.example"
    stack = shipped(lab=[{"delay": NEAR, "fail_zone": zone} for _ in range(labs)])
    record = SteadyLoad(stack.port, rate=400, name=lambda number: (
        f"o{number}.lab.example" if number % 4 == 0 else f"f{number}.{zone}")).run(4)
    ordinary = record.only(lambda name: not name.endswith(zone))
    broken = record.only(lambda name: name.endswith(zone))
    assert not ordinary.failed, told(ordinary)
    assert ordinary.percentile(99) < 0.5, told(ordinary)
    assert {query.rcode for query in broken.queries} == {wire.SERVFAIL}, told(broken)
    counters = [lab.counters() for lab in stack.labs]
    others = sum(c["queries"] - c["failed_zone"] for c in counters[1:])
    assert others <= 0.02 * len(ordinary.queries), "ordinary names went elsewhere"
    # Each failing name is asked once at each member, and nothing is asked twice.
    assert sum(c["arrived"] for c in counters) <= 1.1 * (len(ordinary.queries) + labs * len(broken.queries))


def test_zone_that_fails_at_one_member(shipped):
    """A zone that only the preferred upstream cannot resolve is answered by the other one; all else stays with it."""
    zone = "broken.lab.example"
    stack = shipped(lab=[{"delay": NEAR, "fail_zone": zone}, {"delay": NEAR}])
    record = SteadyLoad(stack.port, rate=200, name=lambda number: (
        f"o{number}.lab.example" if number % 2 == 0 else f"f{number}.{zone}")).run(4)
    assert not record.failed, told(record)
    first, second = (lab.counters() for lab in stack.labs)
    assert first["queries"] - first["failed_zone"] >= 0.97 * len(record.queries) / 2
    assert second["queries"] <= 0.55 * len(record.queries)


def test_member_that_fails_every_name(shipped):
    """The preferred upstream says SERVFAIL to everything, as one that lost its own way out does: the other answers."""
    stack = shipped(lab=[{"delay": NEAR}, {"delay": NEAR}])
    record = SteadyLoad(stack.port, rate=200, events=[(1, lambda: stack.lab.set(rcode=2))]).run(4)
    assert not record.failed, told(record)


# MARK: hedging

@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_hedging_cuts_the_tail(shipped, transport):
    """One member of two answers 5 % of its queries after 200 ms: the slowest 1 % get at least three times faster, for
    at most a tenth more queries."""
    found = {}
    for hedge in ("off", "auto"):
        options = [{"delay": NEAR}, {"delay": NEAR, "slow_share": 5.0, "slow_delay": 200}]
        stack = shipped(lab=options, transport=transport, strategy="round-robin", hedge=hedge)
        record = SteadyLoad(stack.port, rate=200).run(8)
        assert not record.failed, told(record)
        found[hedge] = record.between(2), sum(lab.counters()["queries"] for lab in stack.labs)
    (without, plain), (hedged, more) = found["off"], found["auto"]
    assert without.percentile(99) > 0.15, told(without)
    assert 3 * hedged.percentile(99) <= without.percentile(99), (told(without), told(hedged))
    assert more <= 1.10 * plain, (plain, more)


# MARK: streams that say nothing

@pytest.mark.parametrize("transport", ["tcp", "tls", "https"])
def test_dead_connections_of_the_only_upstream(shipped, transport):
    """All connections fall silent without an end, as behind a router that lost its state, and new ones work: noticed
    within 3 s, and nobody gets less than an answer."""
    stack = shipped(lab={"delay": NEAR}, transport=transport)
    record = SteadyLoad(stack.port, rate=100, events=[
        (1, lambda: (stack.lab.black_hole(), stack.lab.come_back()))]).run(5)
    began = record.events[1]
    first = record.first_right(began)
    assert first is not None and first < 3, (first, told(record.between(began)))
    assert not record.failed, told(record)
    assert not record.between(began + 3).failed and record.between(began + 3).percentile(99) < 0.5, told(record)


def test_the_load_itself_is_punctual(shipped):
    """The instrument: without failures it sees none, and it sends when it should."""
    stack = shipped(lab={"delay": NEAR})
    begin = time.monotonic()
    record = SteadyLoad(stack.port, rate=1000, sockets=100).run(3)
    assert not record.failed and time.monotonic() - begin < 5, told(record)
    late = sorted(query.sent - query.due for query in record.queries)
    assert late[int(len(late) * 0.9)] < 0.05, f"queries left up to {late[-1]:.3f} s late"
