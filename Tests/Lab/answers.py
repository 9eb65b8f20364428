"""From a query and its demand to the messages that the lab sends. Called by the server for every query.

Returns messages without transport framing; says nothing about when, how often or over which connection they leave,
which is the server's part. Plain questions (no label `lab`, or none known) take a cached answer section.
"""

import hashlib
import ipaddress
import random
import struct

import wire
from wire import A, AAAA, ANY, CAA, CNAME, HTTPS, MX, NS, PTR, RRSIG, SOA, SPF, SVCB, TXT, QUESTION_POINTER

CACHE_LIMIT = 50000
_sections = {}


def text_rdata(text):
    data = text.encode("latin-1", "replace") if isinstance(text, str) else text
    return b"".join(bytes([len(data[i:i + 255])]) + data[i:i + 255] for i in range(0, max(len(data), 1), 255))


def rdata_for(name, qtype, index=0):
    """The RDATA that the lab gives for a name and type; `index` tells the records of a set apart."""
    if qtype == A:
        if index:  # from 198.18.0.0/15, so that large sets have no two alike
            return struct.pack("!I", 0xC6120000 + index)
        return ipaddress.IPv4Address(wire.address4(name)).packed
    if qtype == AAAA:
        return ipaddress.IPv6Address(wire.address6(name, index)).packed
    if qtype in (TXT, SPF):
        return text_rdata(wire.decode_name(name) + ("" if index == 0 else f" {index}"))
    if qtype in (NS, PTR, CNAME):
        return wire.encode_name(f"target{index}.lab.example")
    if qtype == MX:
        return struct.pack("!H", 10 + index) + wire.encode_name("mail.lab.example")
    if qtype == SOA:
        return wire.soa_rdata(300)
    if qtype == CAA:
        return b"\0\5issuelab" + (b"" if index == 0 else str(index).encode())
    if qtype in (SVCB, HTTPS):
        return b"\x00\x01\x00\x00\x01\x00\x03\x02h2" + (b"" if index == 0 else b"\xff\x00\x00\x01" + bytes([index]))
    # It begins like a compression pointer: who decompresses RDATA of unknown types breaks it (RFC 3597).
    return (b"\xc0\x0clab" if qtype > 255 else b"\0\0\1\1") + struct.pack("!II", wire.name_hash(name), index)


def plain_section(query):
    """(count, octets) of the answer to a query without a demand."""
    key = (query.name, query.qtype)
    found = _sections.get(key)
    if found is None:
        if len(_sections) > CACHE_LIMIT:
            _sections.clear()
        types = (A, TXT) if query.qtype == ANY else (query.qtype,)
        found = (len(types), b"".join(
            wire.record(QUESTION_POINTER, t, 300, rdata_for(query.name, t), query.qclass) for t in types))
        _sections[key] = found
    return found


def server_cookie(query, client_cookie):
    address = str(query.peer[0]).encode()
    return hashlib.sha256(b"lab secret" + client_cookie + address).digest()[:16]


class Message:
    """A response under construction."""

    def __init__(self, query):
        self.query = query
        self.id = query.id
        self.flags = wire.QR | wire.RA | query.flags & (wire.RD | wire.CD | 0x7800)
        self.rcode = 0
        self.question = query.question
        self.answers, self.authority, self.additional = [], [], []
        self.options = []
        self.opts = 1 if query.edns else 0
        self.extra_count = 0

    def encode(self):
        opt = b""
        if self.opts:
            opt = wire.opt_record(1232, self.rcode >> 4, 0, self.query.do, self.options) * self.opts
        header = wire.HEADER.pack(self.id, self.flags | self.rcode & 15, 1, len(self.answers) + self.extra_count,
                                  len(self.authority), len(self.additional) + self.opts)
        return b"".join([header, self.question, *self.answers, *self.authority, *self.additional, opt])


def plain_message(query, cookies):
    """The response to a query that demands nothing: the path that carries load."""
    count, section = plain_section(query)
    opt = b""
    if query.edns:
        options = cookie_options(query) if cookies and query.options else ()
        opt = wire.opt_record(1232, 0, 0, query.do, options)
    header = wire.HEADER.pack(query.id, wire.QR | wire.RA | query.flags & (wire.RD | wire.CD | 0x7800), 1, count, 0,
                              1 if opt else 0)
    return header + query.question + section + opt


def cookie_options(query):
    sent = query.option(wire.OPTION_COOKIE)
    if not sent or len(sent) < 8:
        return []
    return [(wire.OPTION_COOKIE, sent[:8] + server_cookie(query, sent[:8]))]


def fill_answers(message, demand, asked):
    """The records of a demand. `asked` is how often the question was asked, this time included."""
    query, ttl = message.query, demand_number(demand, "ttl", 300)
    owner, name = QUESTION_POINTER, query.name
    for index in range(min(demand_number(demand, "cname", 0), 60)):
        target = wire.encode_name(f"c{index + 1}")[:-1] + name
        message.answers.append(wire.record(owner, CNAME, ttl, target))
        owner = target
    if "count" in demand:
        rdata = bytes([198, 51, 100, min(asked, 255)]) if query.qtype != TXT else text_rdata(f"asked {asked}")
        message.answers.append(wire.record(owner, query.qtype if query.qtype == TXT else A, ttl, rdata))
        return
    if "echo" in demand:
        message.answers.append(wire.record(owner, TXT, ttl, text_rdata(echo_text(query))))
        return
    for index in range(min(demand_number(demand, "huge", 1), 4000)):
        message.answers.append(wire.record(owner, query.qtype, ttl, rdata_for(name, query.qtype, index)))
    if "signed" in demand and query.do:
        signature = struct.pack("!HBBIIIH", query.qtype, 13, 3, ttl, 0x7FFFFFFF, 0, 12345) + b"\0" + b"s" * 64
        message.answers.append(wire.record(owner, RRSIG, ttl, signature))


def echo_text(query):
    options = ",".join(f"{code}:{body.hex()}" for code, body in query.options)
    return (f"transport={query.transport} rd={int(bool(query.flags & wire.RD))} ad={int(bool(query.flags & wire.AD))} "
            f"cd={int(bool(query.flags & wire.CD))} do={int(query.do)} edns={query.udp_size if query.edns else 0} "
            f"version={query.version} options={options} port={query.peer[1]}")


def demand_number(demand, word, default):
    value = demand.get(word, default)
    return 1 if value is True else value


def add_negative(message, demand):
    if "nosoa" not in demand:
        ttl, minimum = demand_number(demand, "soattl", 300), demand_number(demand, "soamin", 300)
        message.authority.append(wire.record(wire.encode_name("lab.example"), SOA, ttl, wire.soa_rdata(minimum)))


def add_size(message, target):
    """TXT records until the message has exactly `target` octets (at least about 60)."""
    room = target - len(message.encode())
    while room > 0:
        take = min(room, 12 + 255 + 1)
        if 0 < room - take < 14:
            take -= 14
        if take < 14:
            break
        message.answers.append(wire.record(QUESTION_POINTER, TXT, 300, bytes([take - 13]) + b"s" * (take - 13)))
        room -= take


def fill(message, demand, asked):
    """Contents and RCODE of the right answer."""
    fail = demand.get("fail")
    if "rcode" in demand:
        message.rcode = demand_number(demand, "rcode", 2)
    elif fail and (fail is True or asked <= fail):
        message.rcode = wire.SERVFAIL
    elif "nxdomain" in demand or "nodata" in demand:
        message.rcode = wire.NXDOMAIN if "nxdomain" in demand else 0
        add_negative(message, demand)
    elif "cnameloop" in demand:
        other = wire.encode_name("loop") [:-1] + message.query.name
        message.answers.append(wire.record(QUESTION_POINTER, CNAME, 300, other))
        message.answers.append(wire.record(other, CNAME, 300, message.query.name))
    elif "cnamenx" in demand:
        message.answers.append(wire.record(QUESTION_POINTER, CNAME, 300, wire.encode_name("gone.lab.example")))
        message.rcode = wire.NXDOMAIN
        add_negative(message, demand)
    elif "size" in demand:
        add_size(message, demand_number(demand, "size", 512))
    else:
        fill_answers(message, demand, asked)


def add_extra(message):
    """Records that nobody asked for: none of them may be cached or given as an answer."""
    evil = wire.encode_name("victim.example")
    message.answers.append(wire.record(evil, A, 86400, bytes([203, 0, 113, 66])))
    message.authority.append(wire.record(wire.encode_name("example"), NS, 86400, wire.encode_name("ns.evil.example")))
    message.additional.append(wire.record(wire.encode_name("ns.evil.example"), A, 86400, bytes([203, 0, 113, 67])))


def edns_of(message, demand, cookies):
    query = message.query
    if not query.edns:
        return
    if cookies or "badcookie" in demand or "wrongcookie" in demand:
        message.options += cookie_options(query)
    if "wrongcookie" in demand and message.options:
        code, body = message.options[-1]
        message.options[-1] = (code, bytes(8) + body[8:])
    if "badcookie" in demand:
        sent = query.option(wire.OPTION_COOKIE)
        if not sent or sent[8:] != server_cookie(query, sent[:8]):
            message.answers.clear()
            message.rcode = wire.BADCOOKIE
    if "ede" in demand:
        message.options.append((wire.OPTION_EDE, struct.pack("!H", demand_number(demand, "ede", 0)) + b"lab says so"))
    if "unknownopt" in demand:
        message.options.append((65001, b"unknown"))
    if "keepalive" in demand and query.transport in ("tcp", "tls"):
        message.options.append((wire.OPTION_KEEPALIVE, struct.pack("!H", demand_number(demand, "keepalive", 10))))
    if "noopt" in demand:
        message.opts = 0
    if "opt2" in demand:
        message.opts = 2


def right_message(query, demand, asked, options):
    """The message that answers a query as its demand wants the contents."""
    message = Message(query)
    refused = query.edns and ("noedns" in demand or "notimpedns" in demand or options.no_edns)
    if refused:
        message.rcode = wire.NOTIMP if "notimpedns" in demand else wire.FORMERR
        message.opts = 0
        return message
    fill(message, demand, asked)
    edns_of(message, demand, options.cookies)
    if "extra" in demand:
        add_extra(message)
    if "ad" in demand or "signed" in demand:
        message.flags |= wire.AD
    if "aa" in demand:
        message.flags |= 0x0400
    if "swapcase" in demand:
        message.question = query.name + query.question[len(query.name):]
    return message


def spoiled(query, demand, asked, options):
    """(messages, from_other_port): the forged or broken messages of a demand, as octets; [] when it has none."""
    make = lambda: right_message(query, demand, asked, options)
    messages = []
    for _ in range(demand_number(demand, "forge", 0)):
        message = make()
        message.id = random.randrange(65536)
        messages.append(message.encode())
    for _ in range(demand_number(demand, "forgeq", 0)):
        messages.append(other_question(make(), name=True))
    for _ in range(1 if "mutate" in demand else 0):
        messages.append(mutated(make().encode(), demand_number(demand, "mutate", 1)))
    for word, spoil in SPOILERS.items():
        if word in demand:
            messages.append(spoil(make()))
    return messages


def other_question(message, name):
    query = message.query
    folded = wire.encode_name("other")[:-1] + query.name if name else query.name
    tail = query.question[len(query.name):] if name else wire.TYPE_CLASS.pack(99, 1)
    message.question = folded + tail
    return message.encode()


def _wrong_id(message):
    message.id ^= 0x5555
    return message.encode()


def mutated(octets, times):
    """The octets with some of them replaced, never those of the id."""
    data = bytearray(octets)
    for _ in range(times):
        data[random.randrange(2, len(data))] = random.choice((0, 1, 63, 64, 192, 193, 255, random.randrange(256)))
    return bytes(data)


def _flip(bits):
    def spoil(message):
        message.flags ^= bits
        return message.encode()
    return spoil


def _bad_count(message):
    message.extra_count = 3
    return message.encode()


def _bad_pointer(message):
    # The owner points at itself: 12 octets of header and the question lie before it.
    place = 12 + len(message.question)
    message.answers = [wire.record(struct.pack("!H", 0xC000 | place), A, 300, b"\xcb\0\x71\1")]
    return message.encode()


SPOILERS = {
    "wrongid": _wrong_id,
    "wrongquestion": lambda message: other_question(message, name=True),
    "wrongtype": lambda message: other_question(message, name=False),
    "wrongopcode": _flip(0x2000),
    "notresponse": _flip(wire.QR),
    "garbage": lambda message: random.randbytes(40),
    "short": lambda message: message.encode()[:5],
    "empty": lambda message: b"",
    "header": lambda message: message.encode()[:4] + bytes(8),
    "cut": lambda message: message.encode()[:-(14 if message.opts else 3)],
    "badcount": _bad_count,
    "badpointer": _bad_pointer,
}
