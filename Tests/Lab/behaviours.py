"""What a query name asks the lab upstream to do: the labels before the label `lab` are the demand.

`x7.delay-50.tc.lab.example` waits 50 ms and sets TC. Unknown labels are ignored, so that a test can make names
unique. A number follows after a dash or directly (`drop-2`, `drop2`). The table below is the whole language; its texts
are printed by `lab_upstream.py --behaviours`.
"""

import re

KNOWN = {
    # time and loss, on both transports
    "delay": "answer after N ms",
    "jitter": "answer after 0 to N ms",
    "drop": "never answer; with N: drop the first N queries of this question",
    "dropudp": "never answer over UDP",
    "loss": "drop N percent",
    # forged or broken messages: UDP only, unless the name also has `both` or `ontcp`
    "wrongid": "an answer with another id, and nothing else",
    "wrongquestion": "right id, another name",
    "wrongtype": "right id and name, another type",
    "wrongsource": "right answer from another port (UDP only)",
    "wrongopcode": "right answer with opcode 4",
    "notresponse": "right answer with QR=0",
    "garbage": "40 random octets",
    "short": "the first 5 octets of the answer",
    "empty": "a datagram without octets (over TCP: a frame of length 0)",
    "header": "the 12 octets of the header with QDCOUNT 0",
    "cut": "the answer cut in the middle of its last record",
    "badcount": "ANCOUNT larger than the records present",
    "badpointer": "an answer whose owner is a pointer to itself",
    "mutate": "the answer with N octets changed at random",
    "forge": "N datagrams with wrong ids, then the right one",
    "forgeq": "N datagrams with the right id and another name, then the right one",
    "thenright": "after a forged or broken message also the right one",
    "dup": "the answer twice",
    "late": "nothing in time, then the right answer after N ms (an alias of delay)",
    "tc": "TC=1 without records",
    "tcfull": "TC=1 with the records",
    "both": "UDP misbehaviour on TCP too",
    "ontcp": "UDP misbehaviour on TCP only",
    # contents, both transports
    "swapcase": "the question in lower case (0x20 lost)",
    "rcode": "RCODE N without records",
    "fail": "SERVFAIL for the first N queries of this question, then the answer",
    "nxdomain": "NXDOMAIN with SOA",
    "nodata": "NOERROR with SOA only",
    "nosoa": "with nxdomain or nodata: no SOA",
    "soattl": "TTL of that SOA",
    "soamin": "MINIMUM of that SOA",
    "ttl": "TTL of the answer",
    "huge": "N records (A, AAAA or TXT)",
    "size": "one answer of N octets in all (TXT records, whatever was asked)",
    "cname": "a chain of N CNAMEs before the answer",
    "cnameloop": "two CNAMEs that point at each other",
    "cnamenx": "a CNAME, then NXDOMAIN for its target",
    "extra": "unrelated records in all sections beside the answer",
    "count": "A 198.51.100.N, N = how often this question was asked",
    "echo": "TXT telling what arrived: transport, flags, size, options, port",
    "signed": "with DO also an RRSIG; AD set",
    "ad": "AD set",
    "aa": "AA set",
    # EDNS
    "noedns": "queries with OPT get FORMERR without OPT",
    "notimpedns": "queries with OPT get NOTIMP without OPT",
    "noopt": "OPT ignored: an answer without OPT",
    "opt2": "two OPT records",
    "ede": "extended error N",
    "unknownopt": "an EDNS option of code 65001",
    "badcookie": "BADCOOKIE until the query carries our server cookie",
    "wrongcookie": "an answer whose COOKIE has another client part",
    "keepalive": "edns-tcp-keepalive of N x 100 ms",
    # the connection: TCP, DoT and DoH
    "close": "close instead of an answer",
    "rst": "reset instead of an answer",
    "closeafter": "answer, then close",
    "rstafter": "answer, then reset",
    "drip": "the answer octet by octet, N ms apart",
    "zerolen": "a frame of length 0, then the answer",
    "longlen": "a frame that promises 60000 octets, then silence",
    # the HTTP request: DoH only
    "once": "what follows here happens only the first time that this question is asked",
    "http": "status N, with a body of text",
    "retry": "Retry-After: N",
    "ctype": "content type text/html",
    "age": "Age: N",
    "maxage": "Cache-Control: max-age=N",
    "endless": "a body without end",
    "incomplete": "half of the body, then the end of the stream",
    "nobody": "status 200 without a body",
    "stalled": "the header of the response, and then nothing",
    "trickle": "the body octet by octet, N ms apart, each in a DATA frame",
    "informational": "a 103 response before the right one",
    "rststream": "RST_STREAM with INTERNAL_ERROR",
    "refusestream": "RST_STREAM with REFUSED_STREAM",
    "goaway": "GOAWAY: this request and those after it were not looked at, those before it are answered",
    "goawayafter": "the answer, with GOAWAY",
    "goawayerror": "GOAWAY with ENHANCE_YOUR_CALM, and the connection closed at once",
    "badframe": "a frame that breaks the connection (RFC 9113 section 6.5: SETTINGS on a stream)",
}

ALIASES = {"late": "delay", "servfail": ("rcode", 2), "formerr": ("rcode", 1), "notimp": ("rcode", 4),
           "refused": ("rcode", 5)}

LABEL = re.compile(rb"([a-z]+[0-9]?[a-z]*?)(?:-?(\d+))?")


def parse_demand(labels):
    """{behaviour: number or True} for the labels of a name; {} when it has no label `lab`."""
    if b"lab" not in labels:
        return {}
    demand = {}
    for label in labels[:labels.index(b"lab")]:
        _read_label(label, demand)
    return demand


def _read_label(label, demand):
    text = label.decode("latin-1")
    if text in KNOWN:
        demand[text] = True
        return
    found = LABEL.fullmatch(label)
    if not found:
        return
    word, number = found.group(1).decode(), found.group(2)
    alias = ALIASES.get(word, word)
    if isinstance(alias, tuple):
        demand[alias[0]] = alias[1]
    elif alias in KNOWN:
        demand[alias] = int(number) if number else True


def applies(demand, transport):
    """Whether the forged and broken messages of a demand are for this transport."""
    if transport != "udp":
        return "both" in demand or "ontcp" in demand
    return "ontcp" not in demand


def describe():
    width = max(len(name) for name in KNOWN)
    return "\n".join(f"{name:{width}}  {text}" for name, text in KNOWN.items())
