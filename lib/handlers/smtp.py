"""One SMTP connection: pass letters through it, one after the other, and say exactly what became of each.

Used by mailer.py, for one mail at a time. The dialogue runs on the loop, over smtp_wire.py. What an answer means for
the mail stands in smtp_verdicts.py. A mail may be stopped at any moment: cancelled, timed out, its runner told to go.

1. Before the last byte was sent, the link is cut. No server takes a mail without the dot behind it: nothing was sent.
2. After it, the server may have the mail, so its answer is waited for, LAST_WORD_S more. If it is yes, the mail is sent
   and the stop came too late. If it is no, nothing was accepted, and the mail is stopped. If there is none, nobody
   knows: it is a DeliveryUncertain, as it is where the link breaks there.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from lib.handlers.letter import Letter
from lib.handlers.smtp_dial import Deadline, Limits
from lib.handlers.smtp_verdicts import (
    DeliveryUncertain,
    MailRefused,
    Reply,
    SMTPLinkLost,
    SMTPLoginRefused,
    SMTPServerBusy,
    check,
    lost,
    none_accepted,
    reason,
    refusal,
    say,
)
from lib.handlers.smtp_wire import Wire

LAST_WORD_S = 0.8  # below the second that a runner told to leave grants, and the two after which it is replaced
_LAST_WORD = Limits(reply_s=LAST_WORD_S, total_s=LAST_WORD_S)

_LOGIN_WANTED = (530, 534, 535, 538)  # RFC 4954, 6; 530 is also RFC 3207's "issue a STARTTLS command first"


class Receipt(NamedTuple):
    """What the server said to the mail, and to each recipient whom it refused. `file`: where it was filed."""

    response: str
    accepted: tuple[str, ...]
    refused: dict[str, str]
    file: str = ""


class Link:
    """A connection that is ready for mail. offers: what the server's EHLO named, in small letters."""

    def __init__(self, wire: Wire, offers: frozenset[str]) -> None:
        self.mails = 0
        self.idle_since_s = 0.0
        self._wire = wire
        self._is_pipelining = "pipelining" in offers
        self._wants_size = "size" in offers
        self._is_amid_mail = False

    @property
    def is_open(self) -> bool:
        """False once it broke or the server said 421."""
        return self._wire.fault is None

    async def send(self, letter: Letter, deadline: Deadline) -> Receipt:
        """Hand one letter over. Raises SMTPServerBusy, SMTPLinkLost, SMTPLoginRefused, MailRefused, DeliveryUncertain.

        After a letter that was refused while the link lived on, `reset` makes it ready for the next. After anything
        else that is raised, CancelledError as well, it is of no more use: `close` it.
        """
        self.mails += 1
        self._is_amid_mail = True
        refused = await self._envelope(letter, deadline)
        response = await self._content(letter, deadline)
        self._is_amid_mail = False
        if not refused:
            return Receipt(response, letter.recipients, refused={})
        accepted = tuple(to for to in letter.recipients if to not in refused)
        return Receipt(response, accepted, {to: say(*answer) for to, answer in refused.items()})

    async def reset(self, deadline: Deadline) -> bool:
        """Forget a refused letter. False: the link is of no more use."""
        try:
            is_reset = self.is_open and (await self._command(["RSET"], deadline))[0][0] == 250
        except (SMTPLinkLost, SMTPServerBusy):
            return False
        self._is_amid_mail = not is_reset
        return is_reset

    def close(self) -> None:
        """Say QUIT and hang up without waiting for the answer; amid a mail, whose part QUIT would be, only hang up."""
        self._wire.close(b"" if self._is_amid_mail else b"QUIT\r\n")

    async def _envelope(self, letter: Letter, deadline: Deadline) -> dict[str, Reply]:
        """MAIL, every RCPT, DATA. Gives the recipients that were refused, where others were accepted."""
        answers = await (self._pipelined if self._is_pipelining else self._one_by_one)(letter, deadline)
        refused = {to: answer for to, answer in zip(letter.recipients, answers, strict=False) if answer[0] // 100 != 2}
        if len(refused) == len(letter.recipients):
            if answers[-1][0] == 354:
                await self._end_mail_for_nobody(deadline)
            raise none_accepted(refused)
        if not self._is_pipelining:
            answers = await self._command(["DATA"], deadline)
        check("DATA", answers[-1], MailRefused, wanted=3)
        return refused

    async def _pipelined(self, letter: Letter, deadline: Deadline) -> list[Reply]:
        """All in one packet (RFC 2920): 100 recipients in one round trip. The last answer is DATA's."""
        answers = await self._command([*self._commands(letter), "DATA"], deadline)
        if answers[0][0] // 100 != 2 and answers[-1][0] == 354:
            # It refuses the sender and waits for the mail: whatever it were told now would be the mail.
            self._wire.close()
        self._check_sender(answers[0])
        return answers[1:]

    async def _one_by_one(self, letter: Letter, deadline: Deadline) -> list[Reply]:
        sender, *recipients = self._commands(letter)
        self._check_sender((await self._command([sender], deadline))[0])
        return [(await self._command([recipient], deadline))[0] for recipient in recipients]

    def _commands(self, letter: Letter) -> list[str]:
        # SIZE (RFC 1870): a mail too large is refused before it is sent.
        size = f" SIZE={len(letter.content)}" if self._wants_size else ""
        return [f"MAIL FROM:<{letter.sender}>{size}", *(f"RCPT TO:<{to}>" for to in letter.recipients)]

    def _check_sender(self, answer: Reply) -> None:
        if answer[0] in _LOGIN_WANTED:
            raise SMTPLoginRefused(f"MAIL: {say(*answer)}")
        check("MAIL", answer, MailRefused)

    async def _end_mail_for_nobody(self, deadline: Deadline) -> None:
        """RFC 2920, 3.1: told to go ahead with a mail for nobody, the client ends it at once. No answer matters."""
        try:
            await self._command(["."], deadline)
        except (SMTPLinkLost, SMTPServerBusy):
            self._wire.close()

    async def _content(self, letter: Letter, deadline: Deadline) -> str:
        """The mail; what the server said to it. From its last byte on, a lost link is an uncertain delivery."""
        # A line that is a dot alone ends the mail, so each dot that begins a line is doubled (RFC 5321, 4.5.2).
        stuffed = letter.content.replace(b"\r\n.", b"\r\n..") + b".\r\n"
        try:
            await self._wire.send(stuffed, 1, deadline)
        except OSError as exc:
            raise lost("the content", exc) from exc
        try:
            answer = await self._final_answer(deadline)
        except asyncio.CancelledError:
            answer = await self._last_word()
            if answer[0] // 100 != 2:
                raise
        check("the content", answer, MailRefused)
        return say(*answer)

    async def _last_word(self) -> Reply:
        try:
            return await self._final_answer(Deadline(_LAST_WORD))
        except asyncio.CancelledError as exc:
            raise DeliveryUncertain("the mail was sent, and stopped before an answer came") from exc

    async def _final_answer(self, deadline: Deadline) -> Reply:
        try:
            [answer] = await self._wire.replies(1, deadline)
        except OSError as exc:
            raise DeliveryUncertain(f"the mail was sent, no answer came: {reason(exc)}") from exc
        if answer[0] // 100 not in (2, 4, 5):
            raise DeliveryUncertain(f"the mail was sent, the answer is not SMTP: {say(*answer)}")
        return answer

    async def _command(self, commands: Sequence[str], deadline: Deadline) -> list[Reply]:
        """Send commands together; the answer to each, or fewer where it hung up once it had refused the first."""
        name = commands[0].split(" ")[0]
        try:
            await self._wire.send("\r\n".join([*commands, ""]).encode("ascii"), len(commands), deadline)
            answers = await self._wire.replies(len(commands), deadline)
            for answer in answers:
                if answer[0] == 421 or answer[0] // 100 not in (2, 3, 4, 5):
                    raise refusal(name, answer, MailRefused)
            if len(answers) < len(commands) and answers[0][0] < 400 and self._wire.fault:
                raise self._wire.fault
        except OSError as exc:
            raise lost(name, exc) from exc
        return answers
