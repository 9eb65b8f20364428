#!/usr/bin/python3
"""Reads a log on standard input and prints the pool statistics in it (one JSON line, SIGUSR1) as a table.

With --networks only the networks of the pools that answered something, one a line.
"""

import json
import sys

COLUMNS = (("UPSTREAM", "address"), ("NET", "network"), ("OPEN", "total"), ("MAX", "max_connections"),
           ("PEAK", "peak"), ("FLIGHT", "in_flight"), ("WAIT", "waiters"), ("QUERIES", "queries"),
           ("REUSED", "reused"), ("OPENED", "opened"), ("CLOSED", "closed"), ("NEAR", "near_misses"),
           ("TC", "truncated"), ("TIMEOUT", "timeouts"))


def statistics(lines):
    for line in lines:
        start = line.find("{")
        if start >= 0 and '"pools"' in line:
            return json.loads(line[start:])
    return None


def cell(value):
    if isinstance(value, dict):
        total = sum(value.values())
        reasons = " ".join(f"{name} {count}" for name, count in value.items() if count)
        return f"{total} ({reasons})" if reasons else "0"
    return str(value)


def main():
    found = statistics(sys.stdin)
    if found is None:
        sys.exit(1)
    if sys.argv[1:] == ["--networks"]:
        print("\n".join(pool["network"] for pool in found["pools"] if pool["responses"]))
        return
    rows = [[title for title, _ in COLUMNS]]
    rows += [[cell(pool.get(key, "-")) for _, key in COLUMNS] for pool in found["pools"]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())


if __name__ == "__main__":
    main()
