"""The SMTP server of the tests: smtp_program.py as a process, started and ended by a `with`.

with SmtpServer("--smtputf8", user="me", password="secret") as server:
    server.plan("connect", "421 busy")            # the next connection gets that greeting
    mailer = Mailer(settings(SMTP_URL=server.url()))
    ...
    server.mails()[0].message["Subject"]
"""

import json
import shutil
import ssl
import subprocess
import sys
import tempfile
import unittest
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class KeptMail:
    """One mail as the server got it. connection: the number of the connection that it came by, from 1 on."""

    connection: int
    helo: str
    is_secure: bool
    user: str | None
    sender: str
    parameters: str
    recipients: list[str]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        message = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        return message


class SmtpServer:
    """tls: None, "starttls" or "implicit" (with a certificate made by openssl; without openssl the test is skipped).

    user, password: the login that the server asks for. options: flags of smtp_program.py.
    """

    def __init__(
        self, *options: str, tls: str | None = None, user: str | None = None, password: str = "", port: int = 0
    ) -> None:
        self.tls = tls
        self.user = user
        self.password = password
        self._port = port
        self._options = options

    def __enter__(self) -> "SmtpServer":
        self._folder = tempfile.TemporaryDirectory(prefix="waybill-smtp-")
        try:
            self._start()
        except BaseException:
            self._folder.cleanup()
            raise
        return self

    def __exit__(self, *fault: object) -> None:
        _pipe(self._process.stdin).close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _pipe(self._process.stdout).close()
        self._folder.cleanup()

    @property
    def folder(self) -> Path:
        return Path(self._folder.name)

    @property
    def certificate(self) -> Path:
        return self.folder / "cert.pem"

    def tls_context(self) -> ssl.SSLContext:
        """A context that trusts this server and no other."""
        return ssl.create_default_context(cafile=self.certificate)

    def url(self, user: str | None = None, password: str | None = None) -> str:
        """SMTP_URL for this server, with its own user and password unless others are given."""
        user, password = user or self.user, self.password if password is None else password
        login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
        scheme, query = (
            ("smtps" if self.tls == "implicit" else "smtp"),
            ("?starttls=1" if self.tls == "starttls" else ""),
        )
        return f"{scheme}://{login}127.0.0.1:{self.port}{query}"

    def mails(self) -> list[KeptMail]:
        """Every mail that the server has kept, in the order of their ends; a mail that was answered is among them."""
        lines = (self.folder / "mails.jsonl").read_bytes().splitlines()
        mails = [json.loads(line) for line in lines]
        return [KeptMail(**{**mail, "content": mail["content"].encode("latin-1")}) for mail in mails]

    def plan(self, phase: str, act: str, times: int | None = 1) -> None:
        """From now on do `act` in `phase`, `times` times (None: always). smtp_program.py lists phases and acts."""
        self._order({"plan": {"phase": phase, "act": act, "times": times}})

    def drop_idle(self, last_words: str = "") -> None:
        """Hang up on every connection on which no mail has begun; say `last_words` before, as "421 idle"."""
        self._order({"drop_idle": last_words})

    def change_password(self, password: str) -> None:
        """From now on the server asks for this password, or token."""
        self.password = password
        self._order({"password": password})

    def answer(self) -> None:
        """Send the replies that `late` acts hold back."""
        self._order({"answer": True})

    def counts(self) -> dict[str, int]:
        """So far: `connections`, `mails`, answers `withheld` (by `hang`, `late`), `logins` tried with a token. And now:
        `open` connections."""
        return self._order({})

    def _start(self) -> None:
        command = [
            sys.executable,
            "-E",
            "-s",
            "-m",
            "tests.smtp_program",
            "--control",
            "--folder",
            self._folder.name,
            "--port",
            str(self._port),
        ]
        if self.tls:
            key = make_certificate(self.certificate)
            command += ["--tls", self.tls, "--cert", str(self.certificate), "--key", str(key)]
        if self.user:
            command += ["--user", self.user, "--password", self.password]
        command += self._options
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        self.port: int = json.loads(_pipe(self._process.stdout).readline())["port"]

    def _order(self, order: dict[str, Any]) -> dict[str, int]:
        stdin, stdout = _pipe(self._process.stdin), _pipe(self._process.stdout)
        stdin.write(json.dumps(order) + "\n")
        stdin.flush()
        answer: dict[str, int] = json.loads(stdout.readline())
        return answer


def make_certificate(path: Path) -> Path:
    """Write a self-signed certificate for 127.0.0.1 and localhost to `path`. Returns the path of its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        raise unittest.SkipTest("the openssl binary is not installed, so there is no certificate to test TLS with")
    key = path.with_suffix(".key")
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(path)]
    subprocess.run([openssl, *words.split(), *names], check=True, capture_output=True)
    return key


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
