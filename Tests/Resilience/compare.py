"""Runs every scenario against every forwarder and says what clients saw, as a markdown table; for scripts/resilience.

A forwarder is started anew for each scenario, with lab upstreams 10 ms away on loopback, warmed up for a second, and
ended by its process id. What is not installed is skipped and named.
"""

import argparse
import datetime
import json
import pathlib
import platform
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Lab"), str(HERE.parent / "BlackBox")]

import scenarios
import targets
from lab import Lab
from steady import SteadyLoad

ROOT = HERE.parent.parent
DOCUMENT = ROOT / "docs" / "resilience.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
DELAY = 10
COLUMNS = ["failure", "forwarder", "queries", "failed", "first after failure", "first after end", "longest gap", "p50",
           "p99", "upstream queries"]


def measure(target, scenario, directory):
    """What clients of one forwarder saw in one scenario, as a dictionary; None where it lacks the transport."""
    if scenario.transport not in target.transports:
        return None
    encrypted = scenario.transport == "tls"
    labs = [Lab(encrypted=encrypted, delay=DELAY, **options) for options in scenario.options]
    try:
        with targets.Running(target, directory, labs, scenario.transport) as running:
            running.wait_ready()
            SteadyLoad(running.port, scenario.rate).run(1.0)
            for lab in labs:
                lab.reset()
            record = scenario.load(running.port, labs, f"{time.monotonic_ns():x}").run(scenario.seconds)
            return figures(scenario, record, [lab.counters() for lab in labs])
    finally:
        for lab in labs:
            lab.close()


def figures(scenario, record, counters):
    # The moment when the labs had done what the event says, not when it was due.
    began = record.events.get(scenario.begin, scenario.begin)
    ended = record.events.get(scenario.end)
    ordinary = record.only(scenarios.is_ordinary)
    since = ended if scenario.is_dark else began
    judged = ordinary.between(since)
    return {
        "queries": len(judged.queries), "failed": len(judged.failed),
        "first_after_failure": None if scenario.is_dark else ordinary.first_right(began),
        "first_after_end": ordinary.first_right(ended) if ended else None,
        "gap": ordinary.longest_gap(since, scenario.seconds),
        "p50": judged.median(), "p99": judged.percentile(99), "sent": len(record.queries),
        "upstream_queries": sum(counter["arrived"] for counter in counters) / max(len(record.queries), 1),
        "rcodes": sorted({str(query.rcode) for query in judged.failed}),
    }


def time_text(seconds, none="–"):
    if seconds is None:
        return none
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def row(scenario, name, result):
    if result is None:
        return [scenario.title, name] + ["–"] * (len(COLUMNS) - 2)
    first = "–" if scenario.is_dark else time_text(result["first_after_failure"], "never")
    after = time_text(result["first_after_end"], "never") if scenario.end else "–"
    return [scenario.title, name, str(result["queries"]), str(result["failed"]), first, after, time_text(result["gap"]),
            time_text(result["p50"]), time_text(result["p99"]), f"{result['upstream_queries']:.2f}"]


def table(results):
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
    for scenario in scenarios.ALL:
        found = results.get(scenario.key, {})
        for number, (name, result) in enumerate(found.items()):
            cells = row(scenario, name, result)
            lines.append("| " + " | ".join([cells[0] if number == 0 else "", *cells[1:]]) + " |")
    return "\n".join(lines)


def preamble(chosen, missing):
    versions = ", ".join(f"{target.name} {target.version()}" for target in chosen)
    lines = [f"Made by `scripts/resilience --write` on {datetime.date.today().isoformat()}, {platform.system()} "
             f"{platform.release().split('-')[0]}, Python {platform.python_version()}: {versions}."]
    if missing:
        lines.append("Not installed there: " + ", ".join(missing) + ".")
    return "\n".join(lines)


def document(text, block):
    """The document with the block between its two marks replaced."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{block}\n{END}{after}"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    keys = [scenario.key for scenario in scenarios.ALL]
    parser.add_argument("--targets", default=",".join(targets.ALL), help="of " + ", ".join(targets.ALL))
    parser.add_argument("--scenarios", default=",".join(keys), help="of " + ", ".join(keys))
    parser.add_argument("--write", action="store_true", help="put the table into docs/resilience.md")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--configuration", metavar="TARGET", help="print what is written for a forwarder, and end")
    arguments = parser.parse_args()
    for word, known in (("targets", targets.ALL), ("scenarios", keys)):
        if unknown := set(getattr(arguments, word).split(",")) - set(known):
            parser.error(f"no {word[:-1]} {', '.join(unknown)}")
    return arguments


def show_configuration(name):
    with Lab(encrypted=True) as first, Lab(encrypted=True) as second:
        for transport in ("udp", "tls"):
            print(targets.ALL[name].text("DIRECTORY", 53, [first, second], transport))


def main():
    arguments = parse_arguments()
    if arguments.configuration:
        show_configuration(arguments.configuration)
        return 0
    wanted = [targets.ALL[name] for name in arguments.targets.split(",")]
    chosen = [target for target in wanted if target.path()]
    missing = [target.name for target in wanted if not target.path()]
    if missing:
        print(f"skipped, not installed: {', '.join(missing)}", file=sys.stderr)
    results, failures = {}, 0
    with tempfile.TemporaryDirectory(prefix="fleetwing-resilience-") as folder:
        for scenario in scenarios.ALL:
            if scenario.key not in arguments.scenarios.split(","):
                continue
            for target in chosen:
                try:
                    result = measure(target, scenario, pathlib.Path(folder) / scenario.key)
                except (RuntimeError, OSError) as error:
                    print(f"{scenario.key} {target.name}: {error}", file=sys.stderr)
                    failures += 1
                    continue
                results.setdefault(scenario.key, {})[target.name] = result
                print("  ".join(row(scenario, target.name, result)), flush=True)
    text = table(results)
    print("\n" + text)
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(results, indent=1) + "\n")
    if arguments.write:
        block = preamble(chosen, missing) + "\n\n" + text
        DOCUMENT.write_text(document(DOCUMENT.read_text(), block))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
