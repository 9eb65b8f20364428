"""100,000 random and mutated datagrams and TCP frames, seeded: alive, no memory growth, answers after."""

import random
import socket
import struct

import wire
from clients import TCPClient, UDPClient, addresses

DATAGRAMS, FRAMES, REPLIES = 80000, 20000, 3000
CORNERS = (0, 1, 2, 3, 4, 11, 12, 40, 41, 63, 64, 127, 128, 191, 192, 193, 249, 250, 251, 252, 253, 254, 255)
WORDS = (0, 1, 2, 255, 256, 257, 511, 512, 1232, 16384, 32767, 32768, 49152, 49164, 65280, 65535)


def seeds(dice):
    """Sound queries of all kinds, the stuff that mutation starts from."""
    options = [(dice.choice((3, 8, 10, 11, 12, 15, 65001)), dice.randbytes(dice.choice((0, 1, 7, 8, 9, 16, 40, 41))))
               for _ in range(dice.randrange(3))]
    name = f"f{dice.randrange(400)}.lab.example"
    return wire.make_query(name, dice.choice((1, 28, 16, 65, 255, 41, 252, 65280)), ident=dice.randrange(65536),
                           edns=dice.choice((None, 0, 511, 512, 1232, 65535)), do=dice.random() < 0.3,
                           options=options, flags=dice.choice((0x0100, 0, 0x0110, 0x0120, dice.randrange(65536))))


def mutate(dice, message):
    data = bytearray(message)
    for _ in range(dice.choice((1, 1, 2, 4, 10))):
        if not data:
            break
        at, kind = dice.randrange(len(data)), dice.randrange(7)
        if kind == 0:
            data[at] ^= 1 << dice.randrange(8)
        elif kind == 1:
            data[at] = dice.choice(CORNERS)
        elif kind == 2:
            data[at:at + 2] = struct.pack("!H", dice.choice(WORDS))
        elif kind == 3:
            del data[at:]
        elif kind == 4:
            data[at:at] = dice.randbytes(dice.randrange(1, 20))
        elif kind == 5:
            del data[at:at + dice.randrange(1, 8)]
        else:
            data += data[at:]
        del data[4096:]
    return bytes(data)


def samples(dice, count):
    for _ in range(count):
        choice = dice.random()
        if choice < 0.15:
            yield dice.randbytes(dice.choice((0, 1, 11, 12, 13, 17, 40, 512, 1500)))
        elif choice < 0.25:
            yield seeds(dice)
        else:
            yield mutate(dice, seeds(dice))


def check_reply(answer, asked_responses):
    assert len(answer) >= 12 and answer[2] & 0x80, "every reply is a DNS response"
    assert len(answer) <= 1232


def test_datagrams(build):
    stack = build(server={"max_inflight_per_client": 0, "query_deadline": "1s"}, group={"attempt_timeout": "200ms"})
    dice = random.Random(20240607)
    warm(stack, dice, 8000)
    before, replies = stack.daemon.rss(), warm(stack, dice, DATAGRAMS)
    assert replies > DATAGRAMS // 10
    assert stack.daemon.alive()
    assert stack.daemon.rss() - before < 24 << 20, "memory grew"
    assert addresses(stack.ask("after.lab.example")) == [wire.address4("after.lab.example")]


def warm(stack, dice, count):
    """Sends samples as datagrams, reading replies all the time; how many came."""
    replies = 0
    with UDPClient(stack.port) as client:
        client.socket.setblocking(False)
        for number, message in enumerate(samples(dice, count)):
            try:
                client.socket.send(message)
            except BlockingIOError:
                pass
            if number % 16 == 15:
                replies += read_all(client)
        client.socket.settimeout(0.3)
        replies += read_all(client)
    return replies


def read_all(client):
    count = 0
    try:
        while True:
            check_reply(client.socket.recv(65535), None)
            count += 1
    except (BlockingIOError, TimeoutError):
        return count


def test_frames(build):
    """Whole frames, frames with a wrong length, frames cut anywhere; every connection for a handful."""
    stack = build(server={"max_inflight_per_client": 0, "query_deadline": "1s"}, group={"attempt_timeout": "200ms"})
    dice = random.Random(20240608)
    sent = frames(stack, dice, 2000)
    before = stack.daemon.rss()
    sent = frames(stack, dice, FRAMES)
    assert sent >= FRAMES and stack.daemon.alive()
    assert stack.daemon.rss() - before < 24 << 20, "memory grew"
    with TCPClient(stack.port) as client:
        assert addresses(client.ask("after.lab.example")) == [wire.address4("after.lab.example")]


def frames(stack, dice, count):
    sent = 0
    while sent < count:
        batch = list(samples(dice, 20))
        data = bytearray()
        for message in batch:
            length = len(message) if dice.random() < 0.95 else dice.choice(WORDS)
            data += struct.pack("!H", length) + message
        client = socket.create_connection((stack.daemon.address, stack.port), timeout=5)
        try:
            while data:
                cut = dice.choice((1, 2, 3, 100, 1000, len(data)))
                client.sendall(data[:cut] if len(data) < 3000 else data)
                del data[:cut if len(data) < 3000 else len(data)]
            client.setblocking(False)
            client.recv(65535)
        except OSError:
            pass
        finally:
            client.close()
        sent += len(batch)
    return sent


def test_mutated_replies(build):
    """Replies of the upstream with bits turned: each query still ends with an answer; nothing breaks."""
    for tcp in (False, True):
        stack = build(tcp=tcp, server={"max_inflight_per_client": 0, "query_deadline": "1s"},
                      group={"attempt_timeout": "200ms"})
        with UDPClient(stack.port) as client:
            answered = 0
            for begin in range(0, REPLIES, 100):
                for i in range(begin, begin + 100):
                    word = dice_word(i)
                    client.send(wire.make_query(f"r{i}.{word}.lab.example", ident=i, edns=1232))
                answered += sum(client.receive(2.5) is not None for _ in range(100))
        assert answered == REPLIES
        assert stack.daemon.alive()
        assert stack.ask("after.lab.example").rcode() == 0


def dice_word(number):
    return ("mutate-1", "mutate-3", "mutate-10.huge-10", "mutate-2.cname-4", "mutate-3.nxdomain",
            "mutate-4.ede-3.signed")[number % 6] + ".thenright.both"
