"""The resolver of glibc in a network namespace whose resolv.conf names the daemon at 127.0.0.1:53."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

import wire
from daemon import binary, settings, toml_text

LAB = pathlib.Path(__file__).resolve().parents[1] / "Lab/lab_upstream.py"

# $1 python, $2 lab, $3 daemon, $4 configuration, $5 resolv.conf, then what to run.
SCRIPT = """
set -e
ip link set lo up
mount --bind "$5" /etc/resolv.conf
"$1" "$2" --port 5390 >/dev/null & lab=$!
"$3" -c "$4" & daemon=$!
trap 'kill $daemon $lab 2>/dev/null; wait' EXIT
for i in $(seq 100); do
    "$1" -c 'import socket; [socket.create_connection(("127.0.0.1", p), 1) for p in (53, 5390)]' 2>/dev/null && break
    sleep 0.05
done
shift 5
"$@"
"""


def reason_to_skip():
    if os.geteuid() != 0:
        return "needs root for a namespace"
    if not shutil.which("ip") or not shutil.which("unshare"):
        return "ip or unshare is missing"
    probe = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True)
    return "namespaces are not permitted here" if probe.returncode else None


def inside(tmp_path, *command, resolv="nameserver 127.0.0.1\noptions timeout:3 attempts:2\n"):
    if reason := reason_to_skip():
        pytest.skip(reason)
    config, resolv_conf = tmp_path / "ns.toml", tmp_path / "resolv.conf"
    config.write_text(toml_text(settings(["udp://127.0.0.1:5390"], 53, local={"special_names": True})))
    resolv_conf.write_text(resolv)
    return subprocess.run(
        ["unshare", "--net", "--mount", "bash", "-c", SCRIPT, "namespace", sys.executable, str(LAB), binary(),
         str(config), str(resolv_conf), *command], capture_output=True, text=True, timeout=60)


def test_getent(tmp_path):
    done = inside(tmp_path, "getent", "ahosts", "www.lab.example")
    assert done.returncode == 0, done.stderr
    assert wire.address4("www.lab.example") in done.stdout and wire.address6("www.lab.example") in done.stdout


def test_nxdomain_and_options(tmp_path):
    """trust-ad, edns0, single-request: what distributions write into resolv.conf."""
    done = inside(tmp_path, "bash", "-c", "getent ahosts gone.nxdomain.lab.example; echo $?; "
                  "getent ahostsv4 x.huge-100.lab.example | wc -l; getent hosts localhost >/dev/null && echo ok",
                  resolv="nameserver 127.0.0.1\noptions edns0 trust-ad timeout:3\n")
    lines = done.stdout.split()
    assert lines[0] == "2", "getent's exit code for a name that is not there"
    assert int(lines[1]) >= 100 and lines[2] == "ok", done.stdout + done.stderr
