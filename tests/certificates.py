"""Certificates that openssl makes for a test: an authority of the test's own, and what it vouches for."""

import shutil
import ssl
import subprocess
import tempfile
import unittest
from pathlib import Path

KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
CA_CONFIG = """
[ca]
default_ca = ours
[ours]
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
policy = anything
copy_extensions = copy
x509_extensions = leaf
[anything]
commonName = supplied
[leaf]
# Python 3.13 and later take no certificate without these (VERIFY_X509_STRICT).
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


class Authority:
    """A certificate authority in a folder of its own: ca.pem, and <name>.pem with <name>.key for each certificate.

    Without openssl the test is skipped."""

    def __enter__(self) -> "Authority":
        self._temporary = tempfile.TemporaryDirectory(prefix="wb-ca-")
        folder = self.folder = Path(self._temporary.name)
        (folder / "ca.cnf").write_text(CA_CONFIG)
        (folder / "index.txt").touch()
        (folder / "serial").write_text("01\n")
        self._openssl(
            f"req -x509 {KEY} -days 2 -subj /CN=ca -addext keyUsage=critical,keyCertSign -keyout ca.key -out ca.pem"
        )
        self.ca_file = str(folder / "ca.pem")
        return self

    def __exit__(self, *fault: object) -> None:
        self._temporary.cleanup()

    def issue(self, name: str, alternative: str, dates: str = "-days 2") -> ssl.SSLContext:
        """What a receiver with such a certificate uses. alternative: as "DNS:hooks.example"."""
        self._openssl(
            f"req {KEY} -subj /CN={name} -addext subjectAltName={alternative} -keyout {name}.key -out {name}.csr"
        )
        self._openssl(
            f"ca -batch -config ca.cnf -cert ca.pem -keyfile ca.key {dates} -in {name}.csr -out {name}.pem -notext"
        )
        return self._context(name)

    def sign_itself(self, name: str, alternative: str) -> ssl.SSLContext:
        """As `issue`, for a certificate that nobody vouches for."""
        words = f"-days 2 -subj /CN={name} -addext subjectAltName={alternative}"
        self._openssl(f"req -x509 {KEY} {words} -keyout {name}.key -out {name}.pem")
        return self._context(name)

    def _context(self, name: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context

    def _openssl(self, words: str) -> None:
        openssl = shutil.which("openssl")
        if openssl is None:
            raise unittest.SkipTest("the openssl binary is not installed, so there is no certificate to test TLS with")
        subprocess.run([openssl, *words.split()], check=True, capture_output=True, cwd=self.folder)
