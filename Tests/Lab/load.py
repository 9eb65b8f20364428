"""Many simulated clients, each with its own socket and several queries in flight: the headline's load.

Used by test_headline.py and, as a program, by scripts/demo. Standard library only. Every answer is compared with what
the lab upstream gives for its name.

    load.py --port 5300 --clients 1000 --queries 3
"""

import argparse
import ipaddress
import select
import socket
import struct
import time

import wire


class Result:
    def __init__(self):
        self.asked = self.right = self.wrong = self.failed = self.stray = 0
        self.seconds = 0.0
        self.rcodes = {}

    @property
    def missing(self):
        return self.asked - self.right - self.wrong - self.failed


def raise_descriptor_limit(needed):
    import resource
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(needed, hard), hard))


def expected_address(name):
    return ipaddress.IPv6Address(wire.address6(name)).packed


def judge(answer, outstanding, result):
    """Counts one response: id, question and contents must be those of a query that is still open."""
    if len(answer) < 12:
        result.stray += 1
        return
    ident, flags = struct.unpack_from("!HH", answer)
    name = outstanding.get(ident)
    if name is None or not flags & wire.QR or answer[12:12 + len(name)] != name:
        result.stray += 1
        return
    del outstanding[ident]
    rcode = flags & 15
    result.rcodes[rcode] = result.rcodes.get(rcode, 0) + 1
    if rcode:
        result.failed += 1
    elif expected_address(name) in answer:
        result.right += 1
    else:
        result.wrong += 1


def open_clients(count, port, address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    clients = {}
    for _ in range(count):
        client = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        client.connect((address, port))
        clients[client.fileno()] = (client, {})
    return clients


def run(port, clients=1000, queries=3, prefix="head", zone="lab.example", address="127.0.0.1", seconds=6.0):
    """Sends clients x queries AAAA questions at once, all different, and collects the answers."""
    raise_descriptor_limit(clients + 200)
    result, table, epoll = Result(), open_clients(clients, port, address), select.epoll()
    begin = time.monotonic()
    for number, (fileno, (client, outstanding)) in enumerate(table.items()):
        epoll.register(fileno, select.EPOLLIN)
        for i in range(queries):
            name = wire.encode_name(f"{prefix}-{number}-{i}.{zone}")
            ident = (number * 7 + i * 20011 + 1) & 0xFFFF
            outstanding[ident] = name
            client.send(wire.make_query(name, wire.AAAA, ident=ident, edns=1232))
            result.asked += 1
    while result.missing > 0 and time.monotonic() - begin < seconds:
        for fileno, _ in epoll.poll(0.2):
            client, outstanding = table[fileno]
            try:
                while True:
                    judge(client.recv(4096), outstanding, result)
            except OSError:
                pass
    result.seconds = time.monotonic() - begin
    epoll.close()
    for client, _ in table.values():
        client.close()
    return result


def one_by_one(port, count, prefix, address="127.0.0.1"):
    """Asks `count` names, each after the answer to the one before."""
    result = Result()
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((address, port))
        client.settimeout(5)
        for number in range(count):
            outstanding = {number: wire.encode_name(f"{prefix}-{number}.lab.example")}
            result.asked += 1
            client.send(wire.make_query(outstanding[number], wire.AAAA, ident=number))
            try:
                judge(client.recv(4096), outstanding, result)
            except TimeoutError:
                continue
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--queries", type=int, default=3)
    parser.add_argument("--prefix", default="head")
    parser.add_argument("--one-by-one", type=int, metavar="COUNT", help="COUNT queries, one after another")
    arguments = parser.parse_args()
    if arguments.one_by_one:
        result = one_by_one(arguments.port, arguments.one_by_one, arguments.prefix, arguments.address)
        raise SystemExit(0 if result.right == result.asked else f"{result.right} of {result.asked} answered")
    result = run(arguments.port, arguments.clients, arguments.queries, arguments.prefix, address=arguments.address)
    print(f"{result.right} of {result.asked} answered, {result.wrong} wrong, {result.failed} failed, "
          f"{result.missing} missing, {result.seconds:.2f} s")


if __name__ == "__main__":
    main()
