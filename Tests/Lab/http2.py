"""HTTP/2 framing as the lab's DoH server needs it (RFC 9113), by our own hands so that it can be wrong on demand.

Frames in and out as octets, no state. Header blocks out are literals without indexing (RFC 7541 section 6.2.2), so that
no table has to be kept; header blocks in are python3-hpack's.
"""

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITIZED = 0x1, 0x1, 0x4, 0x8, 0x20
SETTING_MAX_STREAMS, SETTING_WINDOW, SETTING_MAX_FRAME = 3, 4, 5
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL, CALM = 0, 1, 2, 7, 8, 11
ERRORS = {0: "NO_ERROR", 1: "PROTOCOL_ERROR", 2: "INTERNAL_ERROR", 3: "FLOW_CONTROL_ERROR", 5: "STREAM_CLOSED",
          6: "FRAME_SIZE_ERROR", 7: "REFUSED_STREAM", 8: "CANCEL", 11: "ENHANCE_YOUR_CALM"}
NO_TABLE = b"\x20"
FIRST_WINDOW, FIRST_MAX_FRAME = 65535, 16384


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def next_frame(received):
    """(kind, flags, stream, payload) taken from the front of a bytearray, or None while it is not there whole."""
    if len(received) < 9:
        return None
    size = int.from_bytes(received[:3], "big")
    if len(received) < 9 + size:
        return None
    kind, flags, stream = struct.unpack_from("!BBI", received, 3)
    payload = bytes(received[9:9 + size])
    del received[:9 + size]
    return kind, flags, stream & 0x7FFFFFFF, payload


def settings(**values):
    keys = {"max_streams": SETTING_MAX_STREAMS, "window": SETTING_WINDOW, "max_frame": SETTING_MAX_FRAME}
    return frame(SETTINGS, payload=b"".join(struct.pack("!HI", keys[k], v) for k, v in values.items()))


def parse_settings(payload):
    return dict(struct.iter_unpack("!HI", payload[:len(payload) // 6 * 6]))


def reset(stream, code):
    return frame(RST_STREAM, 0, stream, struct.pack("!I", code))


def goaway(last, code):
    return frame(GOAWAY, payload=struct.pack("!II", last, code))


def window_update(stream, octets):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack("!I", octets))


def unpadded(flags, payload):
    """The payload of DATA or HEADERS without padding and priority."""
    padding, begin = 0, 0
    if flags & PADDED and payload:
        padding, begin = payload[0], 1
    if flags & PRIORITIZED:
        begin += 5
    return payload[begin:len(payload) - padding]


def header_block(status, fields):
    block = [b"\x88" if status == 200 else _literal(b":status", str(status).encode())]
    block += [_literal(name.encode(), str(value).encode()) for name, value in fields]
    return b"".join(block)


def _literal(name, value):
    # Lengths below 127 fit the 7-bit prefix: all that the lab sends.
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
