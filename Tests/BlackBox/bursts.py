"""What the tests of stream upstreams share: a burst of queries, and whether an answer is the right one."""

import time

import wire
from clients import UDPClient, addresses, read


def right(response, name):
    """Whether this is the answer that the lab upstream gives for a name."""
    return response is not None and response.rcode() == 0 and addresses(response) == [wire.address4(name)]


def burst(stack, prefix, count, seconds=6, **keywords):
    """Sends `count` queries at once; how many got their right answer, and the time of the last one."""
    begin, good, last = time.monotonic(), 0, 0.0
    with UDPClient(stack.port) as client:
        for i in range(count):
            client.send(wire.make_query(f"{prefix}{i}.lab.example", ident=i + 1, **keywords))
        for _ in range(count):
            answer = client.receive(seconds)
            if answer is None:
                break
            response = read(answer)
            good += right(response, f"{prefix}{response.id - 1}.lab.example")
            last = time.monotonic() - begin
    return good, last


def wait_until(condition, seconds=5):
    """Whether a condition comes true in time."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


def well_again(stack, seconds=10):
    """Whether the daemon uses its upstream again in time."""
    return wait_until(lambda: stack.ask(f"w{time.monotonic_ns()}.lab.example").rcode() == 0, seconds)


def pool(stack, network):
    return next(p for p in stack.daemon.statistics()["pools"] if p["network"] == network)
