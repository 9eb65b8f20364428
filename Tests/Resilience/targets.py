"""The forwarders that are compared: how each is configured for failover, started on loopback, and ended by its id.

Used by compare.py. Each has one configuration for all scenarios: what its own manual offers for upstreams that fail,
and otherwise its defaults. `write` gives the files and the command; docs/resilience.md quotes what it writes.
"""

import os
import re
import shutil
import subprocess
import textwrap
import time

import certs
import wire
from clients import UDPClient, addresses
from daemon import binary, free_port

PLACES = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"


class Target:
    name, program, transports = "", "", ("udp", "tls")

    def path(self):
        """The executable, or None when it is not installed."""
        return shutil.which(self.program, path=PLACES)

    def version(self):
        return self._first_version([self.path(), "--version"])

    @staticmethod
    def _first_version(command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        found = re.search(r"\d+(\.\d+)*[^\s,]*", done.stdout + done.stderr)
        return found[0] if found else "?"

    def text(self, directory, port, labs, transport):
        """The configuration file."""
        raise NotImplementedError

    def command(self, path):
        raise NotImplementedError


class Fleetwing(Target):
    """All defaults: upstreams, listener and nothing else."""

    name, program = "fleetwing", "fleetwingd"

    def path(self):
        return binary()

    def text(self, directory, port, labs, transport):
        urls = ", ".join(f'"{lab.url_for(transport)}"' for lab in labs)
        ca = f'\n[tls]\nca = "{certs.shared().ca}"' if transport == "tls" else ""
        return textwrap.dedent("""\
            upstreams = [{urls}]

            [server]
            listen = ["127.0.0.1:{port}"]
            {ca}
            [cache]
            persist = false

            [log]
            level = "error"
            target = "stderr"
            """).format(urls=urls, port=port, ca=ca)

    def command(self, path):
        return [self.path(), "-c", str(path)]


class Dnsdist(Target):
    name = program = "dnsdist"

    def text(self, directory, port, labs, transport):
        lines = [f'setLocal("127.0.0.1:{port}")', "setServerPolicy(leastOutstanding)", "setServFailWhenNoServer(true)",
                 "setUDPTimeout(2)"]
        # To take the only one for down would help nobody: it would be asked no more.
        always = ":setUp()" if len(labs) == 1 else ""
        for lab in labs:
            where, more = f"127.0.0.1:{lab.port}", ""
            if transport == "tls":
                where = f"127.0.0.1:{lab.tls_port}"
                more = (f', tls="openssl", subjectName="{certs.NAME}", caStore="{certs.shared().ca}", maxInFlight=10, '
                        "tcpConnectTimeout=1, tcpSendTimeout=1, tcpRecvTimeout=1")
            lines.append(f'newServer({{address="{where}", checkInterval=1, checkTimeout=500, maxCheckFailures=1, '
                         f'rise=1, checkName=".", checkType="NS"{more}}}){always}')
        lines += ["cache = newPacketCache(100000, {staleTTL=60})", 'getPool(""):setCache(cache)',
                  "setStaleCacheEntriesTTL(86400)"]
        return "\n".join(lines) + "\n"

    def command(self, path):
        return [self.path(), "--supervised", "--disable-syslog", "-C", str(path)]


class Unbound(Target):
    name = program = "unbound"

    def version(self):
        return self._first_version([self.path(), "-V"])

    def text(self, directory, port, labs, transport):
        lines = textwrap.dedent(f"""\
            server:
              interface: 127.0.0.1
              port: {port}
              username: ""
              chroot: ""
              directory: "{directory}"
              pidfile: ""
              use-syslog: no
              do-daemonize: no
              num-threads: 1
              do-not-query-localhost: no
              module-config: "iterator"
              tls-cert-bundle: "{certs.shared().ca}"
              infra-keep-probing: yes
              infra-host-ttl: 5
              discard-timeout: 0
              tcp-auth-query-timeout: 2000
              serve-expired: yes
              serve-expired-client-timeout: 1800
              fast-server-permil: 900
            remote-control:
              control-enable: no
            forward-zone:
              name: "."
            """)
        for lab in labs:
            if transport == "tls":
                lines += f"  forward-addr: 127.0.0.1@{lab.tls_port}#{certs.NAME}\n"
            else:
                lines += f"  forward-addr: 127.0.0.1@{lab.port}\n"
        return lines + ("  forward-tls-upstream: yes\n" if transport == "tls" else "")

    def command(self, path):
        return [self.path(), "-d", "-p", "-c", str(path)]


class Smartdns(Target):
    name = program = "smartdns"

    def version(self):
        return self._first_version([self.path(), "-v"])

    def text(self, directory, port, labs, transport):
        lines = textwrap.dedent(f"""\
            bind 127.0.0.1:{port}
            bind-tcp 127.0.0.1:{port}
            cache-persist no
            speed-check-mode none
            response-mode fastest-response
            dualstack-ip-selection no
            serve-expired yes
            ca-file {certs.shared().ca}
            log-level error
            log-file {directory}/smartdns.log
            user root
            """)
        for lab in labs:
            if transport == "tls":
                # Version 40 compares host names with the certificate's CN only, which says nothing here: the key is
                # pinned.
                pin = certs.shared().pin("good").removeprefix("sha256/")
                lines += f"server-tls 127.0.0.1:{lab.tls_port} -host-name {certs.NAME} -spki-pin {pin}\n"
            else:
                lines += f"server 127.0.0.1:{lab.port}\n"
        return lines

    def command(self, path):
        return [self.path(), "-f", "-c", str(path), "-p", "-"]


ALL = {target.name: target for target in (Fleetwing(), Dnsdist(), Unbound(), Smartdns())}


class Running:
    """One started target, ready when it answered a question."""

    def __init__(self, target, directory, labs, transport):
        self.target, self.port = target, free_port()
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{target.name}.conf"
        path.write_text(target.text(directory, self.port, labs, transport))
        self.log = directory / f"{target.name}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                target.command(path), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory,
                env={**os.environ, "SSL_CERT_FILE": certs.shared().ca})

    def wait_ready(self, seconds=15):
        limit, number = time.monotonic() + seconds, 0
        while time.monotonic() < limit:
            if self.process.poll() is not None:
                break
            number += 1
            name = f"ready{number}-{time.monotonic_ns():x}.lab.example"
            try:
                with UDPClient(self.port) as client:
                    answer = client.ask(name, seconds=0.5)
            except OSError:
                answer = None
            if answer is not None and addresses(answer) == [wire.address4(name)]:
                return
            time.sleep(0.1)
        words = self.log.read_text(errors="replace")[-1500:]
        raise RuntimeError(f"{self.target.name} does not answer: {words}")

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

