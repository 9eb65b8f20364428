"""The clients that people use: kdig, dig, dnspython."""

import shutil
import subprocess

import dns.message
import dns.query
import dns.resolver
import pytest

import wire


@pytest.fixture(scope="module")
def stack(build_shared):
    return build_shared()


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=20)


@pytest.mark.parametrize("program", ["kdig", "dig"])
@pytest.mark.parametrize("options", [
    [], ["+tcp"], ["+dnssec"], ["+cd"], ["+bufsize=4096"], ["+nsid"], ["+cookie"], ["+subnet=192.0.2.0/24"],
    ["+edns=0"], ["+noedns"],
], ids=str)
def test_lookup(stack, program, options):
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    done = run(program, "@127.0.0.1", "-p", str(stack.port), "clients.lab.example", "A", "+short", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() == wire.address4("clients.lab.example")
    assert "warning" not in (done.stdout + done.stderr).lower()


@pytest.mark.parametrize("program", ["kdig", "dig"])
def test_output_is_clean(stack, program):
    """No warning about malformed messages, trailing octets or a wrong source."""
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    for name, qtype in (("o.nxdomain", "A"), ("o.cname-3", "AAAA"), ("o.huge-200", "A"), ("o", "TYPE65280"),
                        ("o", "HTTPS"), ("o.nodata", "MX"), ("o.signed", "A")):
        done = run(program, "@127.0.0.1", "-p", str(stack.port), f"{name}.lab.example", qtype, "+dnssec")
        text = (done.stdout + done.stderr).lower()
        assert done.returncode == 0 and "malformed" not in text and "extra" not in text, text


def test_kdig_keepopen(stack):
    if not shutil.which("kdig"):
        pytest.skip("kdig is not installed")
    done = run("kdig", "@127.0.0.1", "-p", str(stack.port), "+tcp", "+keepopen", "+short", "k1.lab.example",
               "k2.lab.example")
    assert wire.address4("k1.lab.example") in done.stdout and wire.address4("k2.lab.example") in done.stdout


def test_dnspython(stack):
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.lifetime = ["127.0.0.1"], stack.port, 5
    assert [r.address for r in resolver.resolve("py.lab.example")] == [wire.address4("py.lab.example")]
    assert len(resolver.resolve("py.huge-300.lab.example")) == 300
    with pytest.raises(dns.resolver.NXDOMAIN):
        resolver.resolve("py.nxdomain.lab.example")
    query = dns.message.make_query("py2.lab.example", "TXT", want_dnssec=True)
    assert query.is_response(dns.query.udp(query, "127.0.0.1", port=stack.port, timeout=5))
    assert query.is_response(dns.query.tcp(query, "127.0.0.1", port=stack.port, timeout=5))
