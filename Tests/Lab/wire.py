"""DNS messages as the lab upstream needs them: parse a query, build records and responses (RFC 1035, 6891).

Used by the lab server and by the black-box tests for raw messages. Written for speed on the one path that carries
load (a well-formed query with at most one OPT); it must never raise on bytes from the network: parse_query returns
None for what is not a query.
"""

import ipaddress
import struct
import zlib

A, NS, CNAME, SOA, PTR, HINFO, MX, TXT, AAAA, OPT, RRSIG, SVCB, HTTPS, SPF, ANY, CAA = (
    1, 2, 5, 6, 12, 13, 15, 16, 28, 41, 46, 64, 65, 99, 255, 257)
QR, TC, RD, RA, AD, CD = 0x8000, 0x0200, 0x0100, 0x0080, 0x0020, 0x0010
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS, BADCOOKIE = 0, 1, 2, 3, 4, 5, 16, 23
OPTION_COOKIE, OPTION_KEEPALIVE, OPTION_EDE = 10, 11, 15

HEADER = struct.Struct("!HHHHHH")
TYPE_CLASS = struct.Struct("!HH")
RECORD = struct.Struct("!HHIH")
QUESTION_POINTER = b"\xc0\x0c"


class Query:
    """One parsed query. `name` is the folded wire name, `question` the question section as it was sent."""

    __slots__ = ("id", "flags", "name", "question", "qtype", "qclass", "edns", "udp_size", "version", "do",
                 "options", "transport", "peer", "raw")

    def labels(self):
        """The folded labels of the name, as bytes."""
        found, at = [], 0
        while self.name[at]:
            found.append(self.name[at + 1:at + 1 + self.name[at]])
            at += 1 + self.name[at]
        return found

    def option(self, code):
        for found, body in self.options:
            if found == code:
                return body
        return None


def parse_query(data, transport="udp", peer=("", 0)):
    """The query in `data`, or None when it is not one that a server would understand."""
    size = len(data)
    if size < 17:
        return None
    ident, flags, qd, an, ns, ar = HEADER.unpack_from(data)
    if qd != 1 or flags & QR:
        return None
    at = 12
    while at < size and data[at]:
        if data[at] > 63:
            return None
        at += 1 + data[at]
    if at + 5 > size:
        return None
    query = Query()
    query.id, query.flags, query.transport, query.peer, query.raw = ident, flags, transport, peer, data
    query.name = data[12:at + 1].lower()
    query.qtype, query.qclass = TYPE_CLASS.unpack_from(data, at + 1)
    query.question = data[12:at + 5]
    query.edns, query.udp_size, query.version, query.do, query.options = False, 512, 0, False, ()
    if ar and not an and not ns:
        _parse_opt(query, data, at + 5)
    return query


def _parse_opt(query, data, at):
    if at + 11 > len(data) or data[at] != 0:
        return
    rtype, size, ttl, length = RECORD.unpack_from(data, at + 1)
    if rtype != OPT:
        return
    query.edns, query.udp_size = True, max(size, 512)
    query.version, query.do = ttl >> 16 & 0xFF, bool(ttl & 0x8000)
    if length:
        query.options = parse_options(data[at + 11:at + 11 + length])


def parse_options(body):
    options, at = [], 0
    while at + 4 <= len(body):
        code, length = TYPE_CLASS.unpack_from(body, at)
        options.append((code, body[at + 4:at + 4 + length]))
        at += 4 + length
    return options


def encode_name(text):
    """A wire name from text; labels are latin-1, no escapes."""
    labels = [label for label in text.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode("latin-1") for label in labels) + b"\0"


def decode_name(wire):
    labels, at = [], 0
    while at < len(wire) and wire[at]:
        labels.append(wire[at + 1:at + 1 + wire[at]].decode("latin-1"))
        at += 1 + wire[at]
    return ".".join(labels)


def record(owner, rtype, ttl, rdata, rclass=1):
    return owner + RECORD.pack(rtype, rclass, ttl & 0xFFFFFFFF, len(rdata)) + rdata


def soa_rdata(minimum):
    return (encode_name("ns.lab.example") + encode_name("hostmaster.lab.example")
            + struct.pack("!IIIII", 1, 3600, 600, 86400, minimum))


def opt_record(size=1232, extended_rcode=0, version=0, do=False, options=()):
    body = b"".join(struct.pack("!HH", code, len(data)) + data for code, data in options)
    ttl = (extended_rcode & 0xFF) << 24 | version << 16 | (0x8000 if do else 0)
    return b"\0" + RECORD.pack(OPT, size, ttl, len(body)) + body


def make_query(name, qtype=A, ident=0, flags=RD, edns=None, do=False, options=(), qclass=1):
    """A query message. `edns` is the UDP size to announce, or None for no OPT."""
    wire = name if isinstance(name, bytes) else encode_name(name)
    opt = b"" if edns is None else opt_record(edns, do=do, options=options)
    header = HEADER.pack(ident, flags, 1, 0, 0, 1 if opt else 0)
    return header + wire + TYPE_CLASS.pack(qtype, qclass) + opt


def frame(message):
    """A message with its TCP length octets (RFC 1035 section 4.2.2)."""
    return struct.pack("!H", len(message)) + message


def name_hash(name):
    """A number that a name always has: what the default answers are made of. `name` is text or a folded wire name."""
    wire = name if isinstance(name, bytes) else encode_name(name.lower())
    return zlib.crc32(wire)


def address4(name, offset=0):
    """The A record that the lab gives for a name: 192.0.2.1 to 192.0.2.254."""
    return "192.0.2.%d" % ((name_hash(name) + offset) % 254 + 1)


def address6(name, offset=0):
    """The AAAA record that the lab gives for a name: 2001:db8:: plus 32 bits of the name."""
    return str(ipaddress.IPv6Address((0x20010DB8 << 96) + ((name_hash(name) + offset) & 0xFFFFFFFF)))
