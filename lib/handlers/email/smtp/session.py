"""One SMTP session: letters pass through it, one after the other, and each gets a receipt or a verdict.

    MAIL FROM:<shop@example.com> SIZE=612     250 ok        a refusal here is about our sender, or the mail's size
    RCPT TO:<jane@x.example>                  250 ok        she gets the mail
    RCPT TO:<nobody@y.example>                550 no user   refused for good
    RCPT TO:<bob@y.example>                   450 later     to be asked again
    DATA                                      354 go ahead
    From: Shop … Thank you. <CRLF>.<CRLF>     250 queued    from the last byte on, no answer means uncertain

Used by session_pool.py, for one mail at a time. Each dialogue is a generator, led on the loop by smtp_wire.py; what an
answer means for the mail is verdicts.py's subject. A mail may be stopped at any moment: its job is cancelled or timed
out, or its runner is told to leave.

1. Stopped before the last byte is sent: the link is cut. No server takes a mail without the dot at its end, so nothing
   was sent.
2. Stopped after the last byte: the server may have the mail, so its answer is awaited for LAST_WORD_S. If the answer is
   yes, the mail is sent, and the stop came too late. If it is no, nothing was accepted, and the mail is stopped. If
   there is none, nobody knows: a DeliveryUncertain, as for a link that breaks after the last byte.

WHY NOT envelope and content in one packet, for a server that takes chunks (RFC 3030): that is a fifth more mails a
second, but then a link that breaks at any moment leaves an uncertain delivery. With a server that hangs up behind every
tenth mail, 32 mails of 400 were uncertain.
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
    error_text,
    is_final,
    is_over_limit,
    link_lost,
    mail_verdict,
    none_accepted_verdict,
    reply_text,
    sender_verdict,
    verdict,
)

LAST_WORD_S = 0.8  # A runner that is told to leave grants a mail one second, and is replaced after two.
_LAST_WORD = SmtpDeadlines(reply_s=LAST_WORD_S, total_s=LAST_WORD_S)
MANY_MAILS = 100  # Many servers take no more in one session, and some of them do not say 421 to the next mail.


class Receipt(NamedTuple):
    """What became of one mail. response: the server's reply to the mail; file: the outbox's file, "" over SMTP.

    accepted: recipients who get the mail. refused: recipients refused for good, with the reply. later: recipients to be
    asked again some time, with the reply. beyond: recipients too many for one mail, to be asked again at once.
    """

    response: str
    accepted: tuple[str, ...]
    refused: dict[str, str]
    file: str = ""
    later: Mapping[str, Reply] = MappingProxyType({})
    beyond: tuple[str, ...] = ()


class SmtpSession:
    """A session that is ready for mail. offers: the extensions that EHLO named, in small letters, as "pipelining"."""

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
        """False once the link broke or the server said 421."""
        return self._wire.fault is None

    async def send(self, letter: Letter, deadline: Deadline) -> Receipt:
        """Hand one letter over. Raises SMTPServerBusy, SMTPLinkLost, SMTPSetupFault, MailRefused, DeliveryUncertain.

        After an answer that refuses the letter, while the link stays open, `reset` makes the session ready for the next
        letter. After any other exception, CancelledError as well, the session must be closed.
        """
        self._mails += 1
        self._is_amid_mail, self._is_last = True, False
        try:
            receipt = await self._wire.talk(self._mail(letter), deadline)
        except asyncio.CancelledError:
            if not (self._is_last and self._wire.is_sent):
                raise
            last_word = await self._last_word()
            if last_word is None:
                raise
            receipt = last_word
        self._is_amid_mail = False
        return receipt

    async def try_out(self, sender: str, deadline: Deadline) -> None:
        """Ask whether the server takes mail from `sender`. Call `reset` afterwards. Raises as `send` does."""
        self._is_amid_mail = True
        await self._wire.talk(self._trial(sender), deadline)

    async def reset(self, deadline: Deadline) -> bool:
        """Have the server forget a refused letter. False: the session is of no more use."""
        try:
            is_reset = self.is_open and (await self._wire.talk(self._commands("RSET"), deadline))[0][0] == 250
        except (SMTPLinkLost, SMTPServerBusy):
            return False
        self._is_amid_mail = not is_reset
        return is_reset

    def close(self) -> None:
        """Say QUIT and hang up without waiting for the answer. In the middle of a mail, where QUIT would be a line of
        the mail, only hang up."""
        self._wire.close(b"" if self._is_amid_mail else b"QUIT\r\n")

    async def _last_word(self) -> Receipt | None:
        """The receipt of a mail that was stopped after its last byte. None: the server refused the mail."""
        try:
            receipt: Receipt = await self._wire.resume(Deadline(_LAST_WORD))
            return receipt
        except asyncio.CancelledError as exc:
            raise DeliveryUncertain("the mail was sent, and stopped before an answer came") from exc
        except (SMTPServerBusy, SMTPSetupFault, MailRefused):
            return None

    # The dialogues.

    def _mail(self, letter: Letter) -> Dialogue[Receipt]:
        if letter.needs_utf8 and not self._takes_utf8:
            raise MailRefused("MAIL: an address has letters beyond ASCII, and the server offers no SMTPUTF8 (RFC 6531)")
        refused = yield from self._envelope(letter)
        response = yield from self._content(letter)
        if not refused:
            return Receipt(response, letter.recipients, refused={})
        accepted = tuple(to for to in letter.recipients if to not in refused)
        beyond = tuple(to for to, answer in refused.items() if is_over_limit(answer))
        final = {to: reply_text(*answer) for to, answer in refused.items() if is_final(answer)}
        later = {to: answer for to, answer in refused.items() if to not in final and to not in beyond}
        return Receipt(response, accepted, final, later=later, beyond=beyond)

    def _trial(self, sender: str) -> Dialogue[None]:
        self._check_sender((yield from self._commands(f"MAIL FROM:<{sender}>"))[0])

    def _envelope(self, letter: Letter) -> Dialogue[dict[str, Reply]]:
        """MAIL, every RCPT, DATA. Returns the recipients that the server did not accept, if it accepted any."""
        answers = yield from (self._pipelined if self._is_pipelining else self._one_by_one)(letter)
        refused = {to: answer for to, answer in zip(letter.recipients, answers, strict=False) if answer[0] // 100 != 2}
        if len(refused) == len(letter.recipients):
            if answers[-1][0] == 354:
                yield from self._end_mail_for_nobody()
            raise none_accepted_verdict(refused)
        if not self._is_pipelining:
            answers = yield from self._commands("DATA")
        if answers[-1][0] // 100 != 3:
            raise mail_verdict("DATA", answers[-1])
        return refused

    def _pipelined(self, letter: Letter) -> Dialogue[list[Reply]]:
        """MAIL, every RCPT and DATA in one packet (RFC 2920): 100 recipients in one round trip.

        Returns an answer for each recipient, and DATA's."""
        answers = yield from self._commands(self._sender(letter), *map(_recipient, letter.recipients), "DATA")
        if answers[0][0] // 100 != 2 and answers[-1][0] == 354:
            # The server refuses the sender and still waits for the mail: any command would be taken for the mail.
            self._wire.close()
        self._check_sender(answers[0])
        return answers[1:]

    def _one_by_one(self, letter: Letter) -> Dialogue[list[Reply]]:
        """MAIL and every RCPT, each after the answer to the one before. Returns an answer for each recipient."""
        self._check_sender((yield from self._commands(self._sender(letter)))[0])
        answers = []
        for to in letter.recipients:
            answers += yield from self._commands(_recipient(to))
        return answers

    def _sender(self, letter: Letter) -> str:
        # SIZE (RFC 1870): the server can refuse a mail that is too large before the mail is sent.
        size = f" SIZE={len(letter.content)}" if self._wants_size else ""
        # RFC 6531, 3.6: a server with SMTPUTF8 has 8BITMIME as well, which the addresses in the header need.
        utf8 = " BODY=8BITMIME SMTPUTF8" if letter.needs_utf8 else ""
        return f"MAIL FROM:<{letter.sender}>{size}{utf8}"

    def _check_sender(self, answer: Reply) -> None:
        if answer[0] // 100 == 4 and self._mails > MANY_MAILS:
            # The server has had enough of this session, not of this mail: the pool sends it over a new session.
            self._wire.close(b"QUIT\r\n")
        if answer[0] // 100 != 2:
            raise sender_verdict(answer)

    def _end_mail_for_nobody(self) -> Dialogue[None]:
        """End a mail for which the server has no recipient and yet waits, at once (RFC 2920, 3.1). Its answer does not
        matter."""
        try:
            yield from self._commands(".")
        except (SMTPLinkLost, SMTPServerBusy):
            self._wire.close()

    def _content(self, letter: Letter) -> Dialogue[str]:
        """Send the message. Returns the server's reply. From the last byte on, a lost link is an uncertain delivery."""
        # A line with nothing but a dot ends the mail, so each dot that begins a line is doubled (RFC 5321, 4.5.2).
        stuffed = letter.content.replace(b"\r\n.", b"\r\n..") + b".\r\n"
        self._is_last = True
        try:
            [answer] = yield stuffed, 1
        except OSError as exc:
            if not self._wire.is_sent:
                raise link_lost("the content", exc) from exc
            raise DeliveryUncertain(f"the mail was sent, no answer came: {error_text(exc)}") from exc
        if answer[0] // 100 not in (2, 4, 5):
            raise DeliveryUncertain(f"the mail was sent, the answer is not SMTP: {reply_text(*answer)}")
        if answer[0] // 100 != 2:
            raise mail_verdict("the content", answer)
        return reply_text(*answer)

    def _commands(self, *commands: str) -> Dialogue[list[Reply]]:
        """Send commands in one packet. Returns the answer to each, or fewer if the server hung up after refusing the
        first."""
        name = commands[0].split(" ", 1)[0]
        try:
            answers = yield "\r\n".join([*commands, ""]).encode(), len(commands)
            for answer in answers:
                # A 421 is no verdict on the mail if the server refused the first command before: the refusal stands.
                is_busy = answer[0] == 421 and answers[0][0] < 500
                if is_busy or answer[0] // 100 not in (2, 3, 4, 5):
                    raise verdict(name, answer, MailRefused)
            if len(answers) < len(commands) and answers[0][0] < 400 and self._wire.fault:
                raise self._wire.fault
        except OSError as exc:
            raise link_lost(name, exc) from exc
        return answers


def _recipient(to: str) -> str:
    return f"RCPT TO:<{to}>"
