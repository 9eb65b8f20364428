"""Servers that we did not write, as DoT and DoH upstreams: unbound and dnsdist in front of a lab upstream.

Each runs in the foreground with its files in a directory of the test, and is ended by its process id.
"""

import shutil
import socket
import subprocess
import time

import certs
from daemon import free_port

UNBOUND = """
server:
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{directory}"
  pidfile: ""
  use-syslog: no
  logfile: ""
  verbosity: 1
  num-threads: 1
  interface: 127.0.0.1@{tls}
  interface: 127.0.0.1@{https}
  tls-port: {tls}
  https-port: {https}
  http-endpoint: "/dns-query"
  tls-service-key: "{key}"
  tls-service-pem: "{certificate}"
  module-config: "iterator"
  do-not-query-localhost: no
  access-control: 127.0.0.0/8 allow
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@{lab}
"""

DNSDIST = """
setLocal("127.0.0.1:{plain}")
addTLSLocal("127.0.0.1:{tls}", "{certificate}", "{key}", {{maxInFlight={in_flight}}})
addDOHLocal("127.0.0.1:{https}", "{certificate}", "{key}", "/dns-query")
newServer({{address="127.0.0.1:{lab}", healthCheckMode="up"}})
"""


class Server:
    """A running server; `url_for` gives its upstream URLs. `dnsdist-in-order` is dnsdist as it is without options: it
    takes the next query of a DoT connection only after the answer to the one before, and while some of a TLS record is
    still unread it waits for the socket [measured with 1.7.3]: a batch in one record stands still until more comes."""

    def __init__(self, name, lab, directory):
        directory.mkdir(exist_ok=True)
        self.name = name
        self.tls, self.https, plain = (free_port() for _ in range(3))
        key = str(certs.shared().directory / "good.key")
        text = (UNBOUND if name == "unbound" else DNSDIST).format(
            directory=directory, plain=plain, tls=self.tls, https=self.https, lab=lab.port, key=key,
            in_flight=0 if name == "dnsdist-in-order" else 1000,
            certificate=certs.shared().path("good"))
        path = directory / f"{name}.conf"
        path.write_text(text)
        command = ["unbound", "-d", "-p", "-c", str(path)] if name == "unbound" else [
            "dnsdist", "--supervised", "--disable-syslog", "-C", str(path)]
        command[0] = executable(name)
        self.log = directory / f"{name}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait()

    def _wait(self):
        limit = time.monotonic() + 10
        for port in (self.tls, self.https):
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    if self.process.poll() is not None or time.monotonic() > limit:
                        self.close()
                        raise AssertionError(f"{self.name} did not start:\n{self.log.read_text()[-2000:]}") from None
                    time.sleep(0.05)

    def url_for(self, transport):
        return {"tls": f"tls://{certs.NAME}@127.0.0.1:{self.tls}",
                "https": f"https://{certs.NAME}@127.0.0.1:{self.https}/dns-query"}[transport]

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def executable(name):
    """Servers live in /usr/sbin, which is not on everybody's PATH."""
    return shutil.which(name.split("-")[0], path="/usr/sbin:/usr/bin:/sbin:/usr/local/sbin:/usr/local/bin")
