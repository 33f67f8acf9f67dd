"""The OAuth token that stands in for a password: from SMTP_TOKEN_FILE or SMTP_TOKEN_COMMAND.

Asked by dial.py, in its threads, before a connection is made. Getting a token of its own (refreshing it, with a
client's secret) is the program's work, not Waybill's.

1. The file is read anew each time: whatever writes it may do so at any time.
2. The program runs without a shell, in a session of its own, and has 20 s; then all of that session is killed. What it
   prints is kept for 5 minutes, or until the server refuses it: mails that open twenty links run it once.
3. What goes wrong fails the attempt, which is tried again as any other, and says what failed. No error holds a token,
   or the program's arguments or output, which may be as secret.
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
FAULT_KEPT_S = 5.0  # for those who waited while it failed
MOST_BYTES = 64 << 10

_TOKEN = re.compile(r"[!-~]+")


class SMTPTokenMissing(Exception):
    """No token could be had to log in with; nothing was sent. The operator's to mend, so the mail waits."""


@dataclass(frozen=True, slots=True)
class Token:
    """is_kept: it was had some time ago, and a newer one may do where this one is refused."""

    text: str = field(repr=False)
    is_kept: bool = False


class Tokens(Protocol):
    """Where tokens come from; used by several threads at a time."""

    def get(self, limit_s: float) -> Token:
        """In limit_s seconds at most. Raises SMTPTokenMissing."""

    def forget(self, token: Token) -> None:
        """The server refused it."""


def tokens_of(settings: Settings) -> Tokens | None:
    """None where SMTP_URL's password will do."""
    if settings.smtp_token_command:
        return TokenCommand(settings.smtp_token_command)
    return TokenFile(settings.smtp_token_file) if settings.smtp_token_file else None


class TokenFile:
    """SMTP_TOKEN_FILE."""

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
        """It is read anew anyway."""


class TokenCommand:
    """SMTP_TOKEN_COMMAND."""

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
                stderr=subprocess.DEVNULL,  # It may say what is secret: logs are no place for it.
                start_new_session=True,
            )
        except (OSError, ValueError) as exc:
            why = getattr(exc, "strerror", None) or "its arguments can't be passed on"
            raise SMTPTokenMissing(f"{self._name} can't be started: {why}") from None
        code = 0
        with program:
            try:
                said = _output(program, end_s)
                if len(said) <= MOST_BYTES:  # Else it would wait for somebody to read the rest.
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
        return said


def _output(program: "subprocess.Popen[bytes]", end_s: float) -> bytes:
    """What it prints until it closes its output, MOST_BYTES and a little more at most. Raises TimeoutError."""
    assert program.stdout is not None
    said = b""
    with selectors.DefaultSelector() as ready:
        ready.register(program.stdout, selectors.EVENT_READ)
        while len(said) <= MOST_BYTES:
            if not ready.select(max(0.0, end_s - time.monotonic())):
                raise TimeoutError
            piece = os.read(program.stdout.fileno(), 4096)
            if not piece:
                break
            said += piece
    return said


def _read(said: bytes, where: str) -> str:
    """The token in `said`. Raises SMTPTokenMissing, its words behind `where`, and not what is there."""
    text = said.decode("latin-1").strip(" \t\r\n")
    if not text:
        raise SMTPTokenMissing(f"{where} nothing")
    if len(said) > MOST_BYTES:
        raise SMTPTokenMissing(f"{where} over {MOST_BYTES} bytes, which is no token")
    if not _TOKEN.fullmatch(text):
        raise SMTPTokenMissing(f"{where} more than a token: one line of printable ASCII, without blanks, is asked for")
    return text
