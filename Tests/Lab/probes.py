"""Queries that no client sent: a forwarder's own probes, told from ordinary queries so that they are counted apart.

Called by server.py for every query. A health probe asks for the name servers of the root; a loop probe asks for a
random top-level name of 32 hexadecimal digits with type HINFO, which exists nowhere: who sees it return asks itself.
"""

import answers
import wire

HEALTH, LOOP = "health", "loop"
HEXADECIMAL = frozenset(b"0123456789abcdef")


def kind_of(query):
    """HEALTH, LOOP or None. `query.name` is folded."""
    if query.qtype == wire.NS and query.name == b"\0":
        return HEALTH
    if query.qtype == wire.HINFO and len(query.name) == 34 and query.name[0] == 32:
        return LOOP if HEXADECIMAL.issuperset(query.name[1:33]) else None
    return None


def no_such_name(query):
    """What the root says of a top-level domain that does not exist."""
    message = answers.Message(query)
    message.rcode = wire.NXDOMAIN
    message.authority.append(wire.record(b"\0", wire.SOA, 300, wire.soa_rdata(300)))
    return message.encode()
