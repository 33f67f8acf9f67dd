"""One SMTP connection: pass letters through it, one after the other, and say exactly what became of each.

Used by mailer.py, by one thread at a time. smtplib does the dialogue, but not `sendmail()`: that tells neither whether
the link broke before or after the mail was handed over, nor, when the mail itself is refused, each recipient's answer.
What an answer means for the mail stands in smtp_verdicts.py.
"""

import smtplib
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from lib.handlers.letter import Letter
from lib.handlers.smtp_dial import Deadline, Route, open_session
from lib.handlers.smtp_verdicts import (
    DeliveryUncertain,
    MailRefused,
    Reply,
    SMTPLinkLost,
    SMTPLoginRefused,
    SMTPServerBusy,
    check,
    none_accepted,
    reason,
    refusal,
    say,
    translated,
)

QUIT_S = 1.0

_LOGIN_WANTED = (530, 534, 535, 538)  # RFC 4954, 6; 530 is also RFC 3207's "issue a STARTTLS command first"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the server said to the mail, and to each recipient whom it refused. `file`: where it was filed."""

    response: str
    accepted: tuple[str, ...]
    refused: dict[str, str]
    file: str = ""


class Link:
    """A connection that is ready for mail. `is_open` is False once it broke or the server said 421."""

    def __init__(self, route: Route, tls_context: ssl.SSLContext | None, deadline: Deadline) -> None:
        self.mails = 0
        self.idle_since_s = 0.0
        self._smtp = open_session(route, tls_context, deadline)

    @property
    def is_open(self) -> bool:
        return self._smtp.sock is not None

    def send(self, letter: Letter, deadline: Deadline) -> Receipt:
        """Hand one letter over. Raises SMTPServerBusy, SMTPLinkLost, SMTPLoginRefused, MailRefused, DeliveryUncertain.

        After a letter that was refused while the link lived on, `reset` makes it ready for the next.
        """
        self.mails += 1
        refused = self._envelope(letter, deadline)
        response = self._content(letter, deadline)
        accepted = tuple(to for to in letter.recipients if to not in refused)
        return Receipt(response, accepted, {to: say(*answer) for to, answer in refused.items()})

    def reset(self, deadline: Deadline) -> bool:
        """Forget a refused letter. False: the link is of no more use."""
        try:
            return self.is_open and self._command(["RSET"], deadline)[0][0] == 250
        except (SMTPLinkLost, SMTPServerBusy):
            return False

    def close(self) -> None:
        """Say QUIT and hang up without waiting for the answer; nothing that matters can be in it."""
        with suppress(OSError):
            if self._smtp.sock is not None:
                self._smtp.sock.settimeout(QUIT_S)
                self._smtp.putcmd("QUIT")
        self._smtp.close()

    def _envelope(self, letter: Letter, deadline: Deadline) -> dict[str, Reply]:
        """MAIL, every RCPT, DATA. Gives the recipients that were refused, where others were accepted."""
        is_pipelined = self._smtp.has_extn("pipelining")
        answers = self._pipelined(letter, deadline) if is_pipelined else self._one_by_one(letter, deadline)
        refused = {to: answer for to, answer in zip(letter.recipients, answers, strict=False) if answer[0] // 100 != 2}
        if len(refused) == len(letter.recipients):
            if answers[-1][0] == 354:
                # RFC 2920, 3.1: told to go ahead with a mail for nobody, the client ends it at once.
                self._command(["."], deadline)
            raise none_accepted(refused)
        if not is_pipelined:
            answers = self._command(["DATA"], deadline)
        check("DATA", answers[-1], MailRefused, wanted=3)
        return refused

    def _pipelined(self, letter: Letter, deadline: Deadline) -> list[Reply]:
        """All in one packet (RFC 2920): 100 recipients in one round trip. The last answer is DATA's."""
        answers = self._command([*self._commands(letter), "DATA"], deadline)
        self._check_sender(answers[0])
        return answers[1:]

    def _one_by_one(self, letter: Letter, deadline: Deadline) -> list[Reply]:
        sender, *recipients = self._commands(letter)
        self._check_sender(self._command([sender], deadline)[0])
        return [self._command([recipient], deadline)[0] for recipient in recipients]

    def _commands(self, letter: Letter) -> list[str]:
        # SIZE (RFC 1870): a mail too large is refused before it is sent.
        size = f" SIZE={len(letter.content)}" if self._smtp.has_extn("size") else ""
        return [f"MAIL FROM:<{letter.sender}>{size}", *(f"RCPT TO:<{to}>" for to in letter.recipients)]

    def _check_sender(self, answer: Reply) -> None:
        if answer[0] in _LOGIN_WANTED:
            raise SMTPLoginRefused(f"MAIL: {say(*answer)}")
        check("MAIL", answer, MailRefused)

    def _content(self, letter: Letter, deadline: Deadline) -> str:
        """The mail; what the server said to it. From its last byte on, a lost link is an uncertain delivery."""
        # A line that is a dot alone ends the mail, so each dot that begins a line is doubled (RFC 5321, 4.5.2).
        stuffed = letter.content.replace(b"\r\n.", b"\r\n..")
        with translated("the content"):
            self._arm(deadline, deadline.limits.reply_s)
            self._smtp.send(stuffed + b".\r\n")
        answer = self._final_answer(deadline)
        check("the content", answer, MailRefused)
        return say(*answer)

    def _final_answer(self, deadline: Deadline) -> Reply:
        try:
            self._arm(deadline, deadline.limits.reply_s)
            answer = self._smtp.getreply()
        except OSError as exc:
            raise DeliveryUncertain(f"the mail was sent, no answer came: {reason(exc)}") from exc
        if answer[0] // 100 not in (2, 4, 5):
            raise DeliveryUncertain(f"the mail was sent, the answer is not SMTP: {say(*answer)}")
        self._hang_up_on_421(answer)
        return answer

    def _command(self, commands: Sequence[str], deadline: Deadline) -> list[Reply]:
        """Send commands together, then read the answer to each."""
        name = commands[0].split(" ")[0]
        with translated(name):
            self._arm(deadline, deadline.limits.reply_s)
            self._smtp.send("".join(f"{command}\r\n" for command in commands))
            answers = self._answers(len(commands), deadline)
        self._hang_up_on_421(answers[-1])
        for answer in answers:
            if answer[0] == 421 or answer[0] // 100 not in (2, 3, 4, 5):
                raise refusal(name, answer, MailRefused)
        return answers

    def _answers(self, count: int, deadline: Deadline) -> list[Reply]:
        """`count` answers; fewer where the server ended it with a 421, or hung up once it had refused the first."""
        answers: list[Reply] = []
        while len(answers) < count and (not answers or answers[-1][0] != 421):
            try:
                self._arm(deadline, deadline.limits.reply_s)
                answers.append(self._smtp.getreply())
            except OSError:
                if not answers or answers[0][0] < 400:
                    raise
                break
        return answers

    def _arm(self, deadline: Deadline, limit_s: float) -> None:
        sock = self._smtp.sock
        if sock is None:
            raise smtplib.SMTPServerDisconnected("the link is closed")
        left_s = deadline.left_s(limit_s)
        # Only where it changes: each call gives up the GIL, and with 20 threads it is long in coming back.
        if sock.gettimeout() != left_s:
            sock.settimeout(left_s)

    def _hang_up_on_421(self, answer: Reply) -> None:
        """421 means that the server closes the connection (RFC 5321, 3.8)."""
        if answer[0] == 421:
            self._smtp.close()
