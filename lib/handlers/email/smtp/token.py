"""The OAuth token with which Waybill logs in, in place of a password: from SMTP_TOKEN_FILE or SMTP_TOKEN_COMMAND.

dial.py asks for a token, in its threads, before it connects. To refresh tokens, with a client's secret, is the work of
the program that writes the file or of the command, not Waybill's.

1. The file is read anew for each connection: the program that writes it may do so at any time.
2. The command runs without a shell, in a session of its own, for TOKEN_S at most; then every process of that session is
   killed. The token that it prints is kept for KEPT_S, or until the server refuses it: twenty mails that each open a
   connection run it once.
3. A failure fails the attempt, which is tried again as any other. The error says what failed, and holds no token and
   none of the command's arguments or output, which may be as secret.
"""

import os
import re
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lib.settings.config import Settings

TOKEN_S = 20.0
KEPT_S = 300.0
FAULT_KEPT_S = 5.0  # Mails that waited while the command failed get the same fault: each would run the command again.
MOST_BYTES = 64 << 10

_TOKEN = re.compile(r"[!-~]+")


class SMTPTokenMissing(Exception):
    """There is no token to log in with, so nothing was sent. The operator has to mend that; the mail waits."""


@dataclass(frozen=True, slots=True)
class Token:
    """is_kept: the command printed it some time ago; if the server refuses it, a newer one may do."""

    text: str = field(repr=False)
    is_kept: bool = False


class Tokens(Protocol):
    """A source of tokens; used by several threads at a time."""

    def get(self, limit_s: float) -> Token:
        """A token, within limit_s seconds. Raises SMTPTokenMissing."""

    def forget(self, token: Token) -> None:
        """Never return `token` again: the server refused it."""


def tokens_of(settings: Settings) -> Tokens | None:
    """The source that the settings name. None: SMTP_URL's password is used."""
    if settings.smtp_token_command:
        return TokenCommand(settings.smtp_token_command)
    return TokenFile(settings.smtp_token_file) if settings.smtp_token_file else None


class TokenFile:
    """Tokens from the file that SMTP_TOKEN_FILE names."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, limit_s: float) -> Token:
        try:
            with self._path.open("rb") as file:
                text = file.read(MOST_BYTES + 1)
        except OSError as exc:
            raise SMTPTokenMissing(f"SMTP_TOKEN_FILE: {self._path} can't be read: {exc.strerror or exc}") from None
        return Token(_read(text, f"SMTP_TOKEN_FILE: {self._path} holds"))

    def forget(self, token: Token) -> None:
        """Nothing to do: the file is read anew each time."""


class TokenCommand:
    """Tokens that SMTP_TOKEN_COMMAND prints."""

    def __init__(self, command: tuple[str, ...], clock: Callable[[], float] = time.monotonic) -> None:
        self._command = command
        self._name = f"SMTP_TOKEN_COMMAND: {Path(command[0]).name}"
        self._clock = clock
        self._is_running = threading.Lock()
        self._kept = ""
        self._fault = ""
        self._until_s = 0.0

    def get(self, limit_s: float) -> Token:
        end_s = time.monotonic() + min(limit_s, TOKEN_S)
        if not self._is_running.acquire(timeout=max(0.0, end_s - time.monotonic())):
            raise SMTPTokenMissing(f"{self._name} still runs, for another mail")
        try:
            if self._clock() < self._until_s and self._fault:
                raise SMTPTokenMissing(self._fault)
            if self._clock() < self._until_s and self._kept:
                return Token(self._kept, is_kept=True)
            return self._get_anew(end_s)
        finally:
            self._is_running.release()

    def forget(self, token: Token) -> None:
        if self._kept == token.text:
            self._kept = ""

    def _get_anew(self, end_s: float) -> Token:
        try:
            self._kept, self._fault = _read(self._run(end_s), f"{self._name} printed"), ""
        except SMTPTokenMissing as exc:
            self._kept, self._fault = "", str(exc)
            self._until_s = self._clock() + FAULT_KEPT_S
            raise
        self._until_s = self._clock() + KEPT_S
        return Token(self._kept)

    def _run(self, end_s: float) -> bytes:
        try:
            program = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # A secret may be in it, and a log is no place for secrets.
                start_new_session=True,
            )
        except (OSError, ValueError) as exc:
            why = getattr(exc, "strerror", None) or "its arguments can't be passed on"
            raise SMTPTokenMissing(f"{self._name} can't be started: {why}") from None
        code = 0
        with program:
            try:
                output = _output(program, end_s)
                if len(output) <= MOST_BYTES:  # With more output it would wait for somebody to read the rest.
                    code = program.wait(max(0.0, end_s - time.monotonic()))
            except (TimeoutError, subprocess.TimeoutExpired):
                raise SMTPTokenMissing(f"{self._name} was not done in time, {TOKEN_S:g} s at most") from None
            finally:
                if program.returncode is None:
                    with suppress(ProcessLookupError, PermissionError):
                        os.killpg(program.pid, signal.SIGKILL)
        if code:
            ending = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            raise SMTPTokenMissing(f"{self._name} {ending}; run it by hand, as the worker's user, to see why")
        return output


def _output(program: "subprocess.Popen[bytes]", end_s: float) -> bytes:
    """Everything that the program prints, up to MOST_BYTES and a little more. Raises TimeoutError."""
    assert program.stdout is not None
    output = b""
    with selectors.DefaultSelector() as ready:
        ready.register(program.stdout, selectors.EVENT_READ)
        while len(output) <= MOST_BYTES:
            if not ready.select(max(0.0, end_s - time.monotonic())):
                raise TimeoutError
            piece = os.read(program.stdout.fileno(), 4096)
            if not piece:
                break
            output += piece
    return output


def _read(raw: bytes, where: str) -> str:
    """The token in `raw`. Raises SMTPTokenMissing with `where` and what is wrong, but without a byte of `raw`."""
    text = raw.decode("latin-1").strip(" \t\r\n")
    if not text:
        raise SMTPTokenMissing(f"{where} nothing")
    if len(raw) > MOST_BYTES:
        raise SMTPTokenMissing(f"{where} over {MOST_BYTES} bytes, which is no token")
    if not _TOKEN.fullmatch(text):
        raise SMTPTokenMissing(f"{where} more than a token: one line of printable ASCII, without blanks, is asked for")
    return text
