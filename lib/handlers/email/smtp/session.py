"""One SMTP connection: pass letters through it, one after the other, and say exactly what became of each.

Used by mailer.py, for one mail at a time. The dialogue is a generator, led on the loop by smtp_wire.py; what an answer
means for the mail stands in verdicts.py. A mail may be stopped at any moment: cancelled, timed out, its runner
told to go.

1. Before the last byte was sent, the link is cut. No server takes a mail without the dot behind it: nothing was sent.
2. After it, the server may have the mail, so its answer is waited for, LAST_WORD_S more. If it is yes, the mail is sent
   and the stop came too late. If it is no, nothing was accepted, and the mail is stopped. If there is none, nobody
   knows: it is a DeliveryUncertain, as it is where the link breaks there.

WHY NOT envelope and content in one packet, where the server takes chunks (RFC 3030): a fifth more mails a second, but
then a link that breaks at any moment leaves an uncertain delivery. A server that hangs up behind every tenth mail made
32 of 400.
"""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from lib.handlers.email.letter import Letter
from lib.handlers.email.smtp.dial import Deadline, SmtpDeadlines
from lib.handlers.email.smtp.smtp_wire import Dialogue, SmtpWire
from lib.handlers.email.smtp.verdicts import (
    DeliveryUncertain,
    MailRefused,
    Reply,
    SMTPLinkLost,
    SMTPServerBusy,
    SMTPSetupFault,
    is_final,
    is_over_limit,
    lost,
    mail_refusal,
    none_accepted,
    reason,
    refusal,
    say,
    sender_refusal,
)

LAST_WORD_S = 0.8  # below the second that a runner told to leave grants, and the two after which it is replaced
_LAST_WORD = SmtpDeadlines(reply_s=LAST_WORD_S, total_s=LAST_WORD_S)
MANY_MAILS = 100  # Many a server takes no more in one session, and not all of them say 421 to the next.


class Receipt(NamedTuple):
    """What the server said to the mail, and to each recipient whom it did not accept. `file`: where it was filed.

    refused: for good. later: to be asked again some time. beyond: were too many for one mail, and may be asked at once.
    """

    response: str
    accepted: tuple[str, ...]
    refused: dict[str, str]
    file: str = ""
    later: Mapping[str, Reply] = MappingProxyType({})
    beyond: tuple[str, ...] = ()


class SmtpSession:
    """A connection that is ready for mail. offers: what the server's EHLO named, in small letters."""

    def __init__(self, wire: SmtpWire, offers: frozenset[str], *, opened_s: float) -> None:
        self.opened_s = opened_s
        self.idle_since_s = 0.0
        self._mails = 0
        self._wire = wire
        self._is_pipelining = "pipelining" in offers
        self._wants_size = "size" in offers
        self._takes_utf8 = "smtputf8" in offers
        self._is_amid_mail = False

    @property
    def is_open(self) -> bool:
        """False once it broke or the server said 421."""
        return self._wire.fault is None

    async def send(self, letter: Letter, deadline: Deadline) -> Receipt:
        """Hand one letter over. Raises SMTPServerBusy, SMTPLinkLost, SMTPSetupFault, MailRefused, DeliveryUncertain.

        After a letter that was refused while the link lived on, `reset` makes it ready for the next. After anything
        else that is raised, CancelledError as well, it is of no more use: `close` it.
        """
        self._mails += 1
        self._is_amid_mail, self._is_last = True, False
        try:
            receipt = await self._wire.talk(self._mail(letter), deadline)
        except asyncio.CancelledError:
            if not (self._is_last and self._wire.is_sent):
                raise
            heard = await self._last_word()
            if heard is None:
                raise
            receipt = heard
        self._is_amid_mail = False
        return receipt

    async def try_out(self, sender: str, deadline: Deadline) -> None:
        """Ask whether it takes mail from `sender`; `reset` makes the link ready for mails. Raises as `send` does."""
        self._is_amid_mail = True
        await self._wire.talk(self._trial(sender), deadline)

    async def reset(self, deadline: Deadline) -> bool:
        """Forget a refused letter. False: the link is of no more use."""
        try:
            is_reset = self.is_open and (await self._wire.talk(self._commands("RSET"), deadline))[0][0] == 250
        except (SMTPLinkLost, SMTPServerBusy):
            return False
        self._is_amid_mail = not is_reset
        return is_reset

    def close(self) -> None:
        """Say QUIT and hang up without waiting for the answer; amid a mail, whose part QUIT would be, only hang up."""
        self._wire.close(b"" if self._is_amid_mail else b"QUIT\r\n")

    async def _last_word(self) -> Receipt | None:
        """Of a mail that was stopped behind its last byte. None: it was refused."""
        try:
            receipt: Receipt = await self._wire.resume(Deadline(_LAST_WORD))
            return receipt
        except asyncio.CancelledError as exc:
            raise DeliveryUncertain("the mail was sent, and stopped before an answer came") from exc
        except (SMTPServerBusy, SMTPSetupFault, MailRefused):
            return None

    # The dialogue.

    def _mail(self, letter: Letter) -> Dialogue[Receipt]:
        if letter.needs_utf8 and not self._takes_utf8:
            raise MailRefused("MAIL: an address has letters beyond ASCII, and the server offers no SMTPUTF8 (RFC 6531)")
        refused = yield from self._envelope(letter)
        response = yield from self._content(letter)
        if not refused:
            return Receipt(response, letter.recipients, refused={})
        accepted = tuple(to for to in letter.recipients if to not in refused)
        beyond = tuple(to for to, answer in refused.items() if is_over_limit(answer))
        final = {to: say(*answer) for to, answer in refused.items() if is_final(answer)}
        later = {to: answer for to, answer in refused.items() if to not in final and to not in beyond}
        return Receipt(response, accepted, final, later=later, beyond=beyond)

    def _trial(self, sender: str) -> Dialogue[None]:
        self._check_sender((yield from self._commands(f"MAIL FROM:<{sender}>"))[0])

    def _envelope(self, letter: Letter) -> Dialogue[dict[str, Reply]]:
        """MAIL, every RCPT, DATA. Gives the recipients that were not accepted, where others were."""
        answers = yield from (self._pipelined if self._is_pipelining else self._one_by_one)(letter)
        refused = {to: answer for to, answer in zip(letter.recipients, answers, strict=False) if answer[0] // 100 != 2}
        if len(refused) == len(letter.recipients):
            if answers[-1][0] == 354:
                yield from self._end_mail_for_nobody()
            raise none_accepted(refused)
        if not self._is_pipelining:
            answers = yield from self._commands("DATA")
        if answers[-1][0] // 100 != 3:
            raise mail_refusal("DATA", answers[-1])
        return refused

    def _pipelined(self, letter: Letter) -> Dialogue[list[Reply]]:
        """All in one packet (RFC 2920): 100 recipients in one round trip. The last answer is DATA's."""
        answers = yield from self._commands(self._sender(letter), *map(_recipient, letter.recipients), "DATA")
        if answers[0][0] // 100 != 2 and answers[-1][0] == 354:
            # It refuses the sender and waits for the mail: whatever it were told now would be the mail.
            self._wire.close()
        self._check_sender(answers[0])
        return answers[1:]

    def _one_by_one(self, letter: Letter) -> Dialogue[list[Reply]]:
        self._check_sender((yield from self._commands(self._sender(letter)))[0])
        answers = []
        for to in letter.recipients:
            answers += yield from self._commands(_recipient(to))
        return answers

    def _sender(self, letter: Letter) -> str:
        # SIZE (RFC 1870): a mail too large is refused before it is sent.
        size = f" SIZE={len(letter.content)}" if self._wants_size else ""
        # RFC 6531, 3.6: who offers SMTPUTF8 offers 8BITMIME as well, which the addresses in the header need.
        utf8 = " BODY=8BITMIME SMTPUTF8" if letter.needs_utf8 else ""
        return f"MAIL FROM:<{letter.sender}>{size}{utf8}"

    def _check_sender(self, answer: Reply) -> None:
        if answer[0] // 100 == 4 and self._mails > MANY_MAILS:
            # It has had enough of this session, not of this mail: mailer.py asks again over a new link.
            self._wire.close(b"QUIT\r\n")
        if answer[0] // 100 != 2:
            raise sender_refusal(answer)

    def _end_mail_for_nobody(self) -> Dialogue[None]:
        """RFC 2920, 3.1: told to go ahead with a mail for nobody, the client ends it at once. No answer matters."""
        try:
            yield from self._commands(".")
        except (SMTPLinkLost, SMTPServerBusy):
            self._wire.close()

    def _content(self, letter: Letter) -> Dialogue[str]:
        """The mail; what the server said to it. From its last byte on, a lost link is an uncertain delivery."""
        # A line that is a dot alone ends the mail, so each dot that begins a line is doubled (RFC 5321, 4.5.2).
        stuffed = letter.content.replace(b"\r\n.", b"\r\n..") + b".\r\n"
        self._is_last = True
        try:
            [answer] = yield stuffed, 1
        except OSError as exc:
            if not self._wire.is_sent:
                raise lost("the content", exc) from exc
            raise DeliveryUncertain(f"the mail was sent, no answer came: {reason(exc)}") from exc
        if answer[0] // 100 not in (2, 4, 5):
            raise DeliveryUncertain(f"the mail was sent, the answer is not SMTP: {say(*answer)}")
        if answer[0] // 100 != 2:
            raise mail_refusal("the content", answer)
        return say(*answer)

    def _commands(self, *commands: str) -> Dialogue[list[Reply]]:
        """Say commands together; the answer to each, or fewer where it hung up once it had refused the first."""
        name = commands[0].split(" ", 1)[0]
        try:
            answers = yield "\r\n".join([*commands, ""]).encode(), len(commands)
            for answer in answers:
                # A refusal stands, though the server may then have had enough of us and say 421.
                is_busy = answer[0] == 421 and answers[0][0] < 500
                if is_busy or answer[0] // 100 not in (2, 3, 4, 5):
                    raise refusal(name, answer, MailRefused)
            if len(answers) < len(commands) and answers[0][0] < 400 and self._wire.fault:
                raise self._wire.fault
        except OSError as exc:
            raise lost(name, exc) from exc
        return answers


def _recipient(to: str) -> str:
    return f"RCPT TO:<{to}>"
