"""How many sockets a process holds toward given ports, sampled from /proc: the peak that the headline is about.

    sockets.py PID PORT...        samples until its standard input ends, then prints the peak
"""

import os
import pathlib
import select
import sys
import threading
import time


def socket_inodes(pid):
    found = set()
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(entry.path)
        except OSError:
            continue
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found


def toward(ports, pid="self"):
    """{inode: state} of the sockets of this network namespace whose peer has one of the ports."""
    wanted, found = {f"{port:04X}" for port in ports}, []
    for table in ("udp", "tcp", "udp6", "tcp6"):
        try:
            lines = pathlib.Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[2].rsplit(":", 1)[1] in wanted:
                found.append((fields[9], fields[3]))
    return found


def count(pid, ports):
    own = socket_inodes(pid)
    return sum(inode in own for inode, _ in toward(ports, pid))


def time_wait(ports, pid="self"):
    """Connections toward the ports in TIME_WAIT (state 06)."""
    return sum(state == "06" for _, state in toward(ports, pid))


class Sampler:
    """Samples in a thread while a block runs."""

    def __init__(self, pid, ports, pause=0.002):
        self.pid, self.ports, self.pause = pid, ports, pause
        self.peak = self.samples = 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self.stopped.is_set():
            try:
                self.peak = max(self.peak, count(self.pid, self.ports))
                self.samples += 1
            except OSError:
                pass
            time.sleep(self.pause)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join(5)


def main():
    pid, ports = int(sys.argv[1]), [int(p) for p in sys.argv[2:]]
    with Sampler(pid, ports) as sampler:
        while not select.select([sys.stdin], [], [], 1)[0] or sys.stdin.readline():
            pass
    print(sampler.peak)


if __name__ == "__main__":
    main()
