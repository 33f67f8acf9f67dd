"""What the sessions of the tests' SMTP server share: its options, the rules by which it misbehaves, the mails it kept.

{"phase": "connect", "act": "421 busy", "times": 1}     a rule, as --control takes it and SmtpServer.plan makes it
"""

import argparse
import json
import re
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

_MARK = re.compile(r"(rcpt|data|sent)-([45][0-9]{2}|drop|hang|lost|endless)(-once)?@")


@dataclass
class Rule:
    """In `phase`, do `act`, `times` times; None: for ever. smtp_program.py names the phases and the acts."""

    phase: str
    act: str
    times: int | None = 1


class OpenSession(Protocol):
    """A session, as the orders of --control need it."""

    @property
    def is_idle(self) -> bool:
        """Whether no mail has begun."""

    def goodbye(self, last_words: str) -> None:
        """Say `last_words`, if any, and hang up."""

    def answer_late(self) -> None:
        """Send the reply that a `late` act holds back, if any."""


class ServerState:
    """One for all sessions. options: of the command line."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.rules: list[Rule] = []
        self._seen: set[str] = set()
        self.sessions: set[OpenSession] = set()
        self.connections = 0
        self.mails = 0
        self.withheld = 0
        self.logins = 0
        self._first_try_s: dict[bytes, float] = {}
        self._second, self._mails_in_second = 0, 0
        self._file = None if options.no_keep else (Path(options.folder) / "mails.jsonl").open("ab", buffering=0)

    def ssl_context(self) -> ssl.SSLContext | None:
        if not self.options.tls:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.options.cert, self.options.key)
        return context

    def planned(self, phase: str) -> str | None:
        """The act of the first rule for this phase, which is used up by it; None for no rule."""
        for rule in self.rules:
            if rule.phase == phase and rule.times != 0:
                if rule.times is not None:
                    rule.times -= 1
                return rule.act
        return None

    def marked(self, phase: str, recipients: list[str]) -> str | None:
        """The act that the first recipient such as `rcpt-450@x.example` asks for in this phase."""
        for address in recipients:
            match = _MARK.match(address)
            if match and match[1] == phase and not (match[3] and address in self._seen):
                self._seen.add(address)
                return f"{match[2]} as {address} asks" if match[2].isdigit() else match[2]
        return None

    def is_grey(self, content: bytes) -> bool:
        """Whether this mail came for the first time less than --greylist-s ago."""
        if self.options.greylist_s is None:
            return False
        found = re.search(rb"(?mi)^Message-ID: (.*?)\r?$", content)
        first_s = self._first_try_s.setdefault(found[1] if found else content, time.monotonic())
        return bool(time.monotonic() - first_s < self.options.greylist_s)

    def is_too_fast(self) -> bool:
        """Count one more mail. Whether this second has had more than --most-per-s."""
        if self.options.most_per_s is None:
            return False
        if self._second != int(time.monotonic()):
            self._second, self._mails_in_second = int(time.monotonic()), 0
        self._mails_in_second += 1
        return bool(self._mails_in_second > self.options.most_per_s)

    def keep(self, mail: dict[str, Any]) -> None:
        self.mails += 1
        if self._file:
            self._file.write(json.dumps(mail).encode() + b"\n")

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out one line of --control, and return the counts that SmtpServer.counts shows."""
        if "plan" in order:
            self.rules.append(Rule(**order["plan"]))
        if "password" in order:
            self.options.password = order["password"]
        if "drop_idle" in order:
            for session in [session for session in self.sessions if session.is_idle]:
                session.goodbye(order["drop_idle"])
        if "answer" in order:
            for session in self.sessions:
                session.answer_late()
        counts = {"connections": self.connections, "open": len(self.sessions), "mails": self.mails}
        return {**counts, "withheld": self.withheld, "logins": self.logins}
