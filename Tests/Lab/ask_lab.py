#!/usr/bin/python3
"""The lab upstreams' control channels for the shell: what scripts/demo needs of them.

    ask_lab.py --hello FILE              the ports that a lab upstream printed: its own, control, DoT, DoH
    ask_lab.py --free-port               a port of loopback that is free for UDP and TCP
    ask_lab.py CONTROL... --set delay=50 --reset
    ask_lab.py CONTROL... --asked NAME   how often a name was asked, in all of them
    ask_lab.py CONTROL... --distinct-ports
    ask_lab.py CONTROL... --sum handshakes   a counter, over all of them
    ask_lab.py CONTROL... --drop-connections
"""

import argparse
import json
import socket


def command(control, **words):
    with socket.create_connection(("127.0.0.1", control), timeout=5) as channel:
        channel.sendall(json.dumps(words).encode() + b"\n")
        answer = json.loads(channel.makefile().readline())
    if "error" in answer:
        raise SystemExit(answer["error"])
    return answer


def free_port():
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            try:
                tcp.bind(udp.getsockname())
                return udp.getsockname()[1]
            except OSError:
                continue
    raise SystemExit("no free port")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("controls", type=int, nargs="*")
    parser.add_argument("--hello", metavar="FILE")
    parser.add_argument("--free-port", action="store_true")
    parser.add_argument("--set", metavar="OPTION=VALUE")
    parser.add_argument("--reset", action="store_true")
    parser.add_argument("--asked", metavar="NAME")
    parser.add_argument("--sum", metavar="COUNTER", action="append", default=[])
    parser.add_argument("--drop-connections", action="store_true")
    parser.add_argument("--distinct-ports", action="store_true")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    if arguments.hello:
        with open(arguments.hello, encoding="utf-8") as file:
            hello = json.loads(file.readline())
        print(hello["port"], hello["control"], hello["tls_port"], hello["https_port"])
    if arguments.free_port:
        print(free_port())
    if arguments.set:
        name, _, value = arguments.set.partition("=")
        for control in arguments.controls:
            command(control, command="set", options={name: json.loads(value)})
    if arguments.drop_connections:
        for control in arguments.controls:
            command(control, command="drop_connections")
    if arguments.reset:
        for control in arguments.controls:
            command(control, command="reset")
    if arguments.asked:
        print(sum(command(c, command="asked", name=arguments.asked)["asked"] for c in arguments.controls))
    for name in arguments.sum:
        print(sum(command(c, command="counters")[name] for c in arguments.controls))
    if arguments.distinct_ports:
        print(len(set().union(*(command(c, command="counters")["ports"] for c in arguments.controls))))


if __name__ == "__main__":
    main()
