"""Network namespaces of a test's own, and mounts of a daemon's own: what no test may do to the machine itself.

    with Namespace() as machine, Namespace() as world:
        machine.join(world, "up0", "192.0.2.1/24", "192.0.2.254/24")
        with machine:            # what is started or opened in here lives in that namespace
            daemon = ...

A namespace is held by a descriptor only: it ends with the test and the processes in it, also when the test fails.
"""

import contextlib
import ctypes
import os
import shutil
import subprocess

import pytest

CLONE_NEWNS, CLONE_NEWNET, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 0x40000000, 4096, 16384, 1 << 18
libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def require():
    """Skips the test where namespaces cannot be made."""
    if os.geteuid() != 0:
        pytest.skip("needs root for a namespace")
    if not shutil.which("ip") or not shutil.which("unshare"):
        pytest.skip("ip or unshare is missing")
    if subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("namespaces are not permitted here")


class Namespace:
    """An empty network namespace with its loopback up. Entered, the calling thread is in it."""

    def __init__(self):
        self.outside = []
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            call("unshare", CLONE_NEWNET)
            self.number = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            call("setns", home, CLONE_NEWNET)
            os.close(home)
        self.ip("link set lo up")

    def __enter__(self):
        self.outside.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        call("setns", self.number, CLONE_NEWNET)
        return self

    def __exit__(self, *_):
        outside = self.outside.pop()
        call("setns", outside, CLONE_NEWNET)
        os.close(outside)

    def ip(self, *commands):
        """Runs ip(8) with each line of words."""
        with self:
            for command in commands:
                subprocess.run(["ip", *command.split()], check=True, timeout=10)

    def join(self, other, link, address, other_address):
        """A cable to `other`, called `link` at both ends, with an address at each."""
        self.ip(f"link add {link} type veth peer name {link} netns /proc/{os.getpid()}/fd/{other.number}")
        for end, own in ((self, address), (other, other_address)):
            option = " nodad" if ":" in own else ""
            end.ip(f"addr add {own} dev {link}{option}", f"link set {link} up")

    def close(self):
        os.close(self.number)


@contextlib.contextmanager
def namespaces(count):
    require()
    made = [Namespace() for _ in range(count)]
    try:
        yield made
    finally:
        for each in made:
            each.close()


def mounted(*pairs):
    """For a daemon's `limit`: mounts of its own, each (what, where), that nobody else sees."""
    def mount():
        call("unshare", CLONE_NEWNS)
        call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
        for source, target in pairs:
            call("mount", os.fsencode(source), os.fsencode(target), None, MS_BIND, None)
    return mount
