"""A throw-away certificate authority, made by the `openssl` command when a test run needs one, and removed with it.

Every key is new in every run, so nothing here is worth stealing and nothing can expire in the repository.

    certs.py DIRECTORY        makes one there: ca.pem, and NAME.pem (certificate and key) for each name of KINDS
"""

import atexit
import base64
import hashlib
import pathlib
import shutil
import subprocess
import sys
import tempfile

NAME = "dns.lab.example"
GOOD = f"DNS:{NAME},IP:127.0.0.1,IP:127.0.0.2,IP:::1"
PAST, FUTURE = ("20200101000000Z", "20200201000000Z"), ("20900101000000Z", "20900201000000Z")
VALID = ("20200101000000Z", "20891231000000Z")

# name: (subject alternative names, validity, who signs it)
KINDS = {
    "good": (GOOD, VALID, "ca"),
    "second": (GOOD, VALID, "ca"),
    "name-only": (f"DNS:{NAME}", VALID, "ca"),
    "wildcard": ("DNS:*.lab.example", VALID, "ca"),
    "wrong-name": ("DNS:other.example,IP:192.0.2.1", VALID, "ca"),
    "expired": (GOOD, PAST, "ca"),
    "not-yet-valid": (GOOD, FUTURE, "ca"),
    "self-signed": (GOOD, VALID, "self-signed"),
    "other-issuer": (GOOD, VALID, "other-ca"),
}

CONFIGURATION = """
[ca]
default_ca = lab
[lab]
database = {directory}/index
new_certs_dir = {directory}
rand_serial = yes
default_md = sha256
policy = anything
unique_subject = no
email_in_dn = no
x509_extensions = {extensions}
[anything]
commonName = supplied
[leaf]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = {names}
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
"""


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, timeout=60, check=False)
    if done.returncode:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr.decode()[-500:]}")
    return done.stdout


class Authority:
    """The files of one throw-away authority in a directory."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)

    @property
    def ca(self):
        return str(self.directory / "ca.pem")

    def path(self, kind):
        return str(self.directory / f"{kind}.pem")

    def pin(self, kind):
        """The key of a certificate as `pins` wants it: the SHA-256 of its SubjectPublicKeyInfo."""
        key = openssl("x509", "-in", self.path(kind), "-noout", "-pubkey")
        text = b"".join(line for line in key.splitlines() if not line.startswith(b"-----"))
        return "sha256/" + base64.b64encode(hashlib.sha256(base64.b64decode(text)).digest()).decode()

    def make(self):
        (self.directory / "index").write_text("")
        self._sign("ca", "", VALID, "ca")
        self._sign("other-ca", "", VALID, "other-ca")
        for kind, (names, validity, signer) in KINDS.items():
            self._sign(kind, names, validity, signer)
        return self

    def _sign(self, kind, names, validity, signer):
        key, request, made = (self.directory / f"{kind}.{end}" for end in ("key", "csr", "crt"))
        is_authority = not names
        configuration = self.directory / "openssl.conf"
        configuration.write_text(CONFIGURATION.format(
            directory=self.directory, extensions="authority" if is_authority else "leaf",
            names=names or f"DNS:{NAME}"))
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                "-out", request, "-subj", f"/CN=lab {kind}")
        by = ["-selfsign", "-keyfile", key] if signer == kind else [
            "-cert", self.directory / f"{signer}.crt", "-keyfile", self.directory / f"{signer}.key"]
        openssl("ca", "-batch", "-notext", "-config", configuration, "-in", request, "-out", made,
                "-startdate", validity[0], "-enddate", validity[1], *by)
        (self.directory / f"{kind}.pem").write_text(made.read_text() + ("" if is_authority else key.read_text()))


_shared = []


def shared():
    """The authority of this process, made at the first call."""
    if not _shared:
        directory = tempfile.mkdtemp(prefix="fleetwing-ca-")
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
        _shared.append(Authority(directory).make())
    return _shared[0]


if __name__ == "__main__":
    Authority(sys.argv[1]).make()
