"""What SMTP's answers and broken links mean for a mail: each becomes one of the errors below, its verdict.

    answer                                              verdict                     what happens to the job
    550 5.1.1 no such user        to RCPT               MailRefused                 dead
    552 5.3.4 message too big     to MAIL               MailRefused                 dead
    451 4.3.0 try again later     to anything           SMTPServerBusy              tried again, by its backoff
    450 4.7.1 greylisted          to RCPT               SMTPServerAskedToWait       tried again when the server asked
    421 4.7.0 too many mails      to anything           SMTPServerAskedToWait       … and all our mails rest until then
    no connection, or it broke before the last byte     SMTPLinkLost                tried again, by its backoff
    535 5.7.8 bad password        to AUTH               SMTPLoginRefused            waits five minutes
    553 sender address rejected   to MAIL or RCPT       SMTPSenderRefused           waits five minutes
    554 relay access denied       to RCPT               SMTPSessionRefused          waits five minutes
    the link broke between last byte and answer         DeliveryUncertain           tried again, or see on_uncertain

A verdict that is a `Discard` makes the job dead, and a `Snooze` counts no attempt. Raised by dial.py, smtp_wire.py and
session.py. The names of the types stand in the job's record, and a redrive may name one (`error_type`).

The verdicts that wait refuse us and not the mail: our login, sender or address, or a server whose TLS is not what
SMTP_URL says. The operator has to mend something, and until then every mail would be refused. So all mails wait.
"""

import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from lib.handlers.email.smtp import patience
from lib.handlers.email.smtp.patience import Patience
from lib.jobs.registry import Discard, Retry, Snooze

SETUP_RETRY_S = 300.0

Reply = tuple[int, bytes | str]
VerdictType = Callable[[str], Exception]
"""A class of the errors below, made with its text."""

LOGIN_WANTED = (530, 534, 535, 538)  # RFC 4954, 6; 530 is also RFC 3207's "issue a STARTTLS command first"
_NOT_THE_SENDER = (552, 555)  # RFC 1870, 6.1: the mail is too large; RFC 5321, 4.1.1.11: a parameter of MAIL
_ENHANCED_OF_SIZE = re.compile(r"5\d\d 5\.(?:2\.3|3\.4) ")  # RFC 3463: the mail is too large
_REPLY_CHARS = 300
_UNFIT = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")


class SMTPServerBusy(Exception):
    """4xx: the server does not take the mail now. Nothing was accepted."""


class SMTPServerAskedToWait(SMTPServerBusy, Snooze):
    """4xx, and the server says or implies how long to wait: greylisting, too many mails or connections. The attempt is
    not counted; see patience.py. hold: the server asks it of all our mails, which are one group (mailer.py)."""

    def __init__(self, reason: str, patience: Patience, *, hold: bool) -> None:
        Snooze.__init__(self, reason, after_s=patience.base_s, hold=hold)
        self.patience = patience


class SMTPLinkLost(Exception):
    """There is no connection, or it broke before the whole mail was sent. Nothing was accepted."""


class SMTPSetupFault(Snooze):
    """The server refuses every mail of ours: somebody has to mend SMTP_URL, MAIL_FROM or the account behind them.

    The mail waits five minutes, not the seconds of the job's backoff: mending takes time, and servers lock accounts
    after a few wrong passwords.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason, after_s=SETUP_RETRY_S)


class SMTPSessionRefused(SMTPSetupFault):
    """The server takes no session from us, relays no mail for us, or its TLS is not what SMTP_URL asks for."""


class SMTPLoginRefused(SMTPSetupFault):
    """User or password are wrong, or a login is missing."""


class SMTPSenderRefused(SMTPSetupFault):
    """The server takes no mail from MAIL_FROM."""


class MailRefused(Discard):
    """5xx: the server refuses this mail, or every recipient. answers: the replies by recipient."""

    answers: Mapping[str, Reply] = {}


class DeliveryUncertain(Retry):
    """The whole mail was sent, and no answer came: the server may have accepted it.

    A Retry, which counts as the handler's own decision: so the record of a job shows it even if the job was timed out
    meanwhile.
    """


class DeliveryLeftUncertain(DeliveryUncertain, Discard):
    """An uncertain delivery of a mail that must not come twice (`on_uncertain: "stop"`), or may have come too often."""


# Too many recipients for one mail: RFC 3463's X.5.3, and the words of servers without such codes.
_TOO_MANY = re.compile(
    r"^\d{3} [45]\.5\.3\b|too (?:many|much) (?:rcpt|recipient|address)"
    r"|(?:max\w*|limit|number) (?:number )?(?:of )?(?:\d+ )?(?:allowed )?recipients"
    r"|recipients? (?:count |number |per \w+ )?(?:limit|exceeded)",
    re.IGNORECASE,
)
# Refusals (5xx) of RCPT or the content that are about us, not about the recipient or the mail. Postfix refuses the
# sender or the client only at RCPT; the large providers compare the mail's From with the login after the content.
_AGAINST_US = (
    (
        SMTPSenderRefused,
        re.compile(
            r"""sender\ address\ rejected | send(?:ing)?[ ]?as\ denied | SendAsDenied | sender\ identity
            | send\ as\ th(?:is|e)\ sender | sender\ signature | not\ owned\ by\ user
            | not\ (?:allowed|authori[sz]ed|permitted)\ to\ send\ (?:as|from|on\ behalf)
            | (?:address|identity|identities|domain|sender)\ (?:is|are)?\ ?not\ (?:yet\ )?verified
            | unverified\ (?:address|sender|domain|email) | from\ address\ does\ not\ match""",
            re.VERBOSE | re.IGNORECASE,
        ),
    ),
    (
        SMTPLoginRefused,
        re.compile(
            r"auth(?:entication|orization)? (?:is )?required|must (?:first )?(?:authenticate|log ?in)"
            r"|not authenticated|log ?in first|issue a STARTTLS",
            re.IGNORECASE,
        ),
    ),
    (
        SMTPSessionRefused,
        re.compile(
            r"relay(?:ing)? (?:access )?(?:is )?(?:denied|not (?:permitted|allowed))"
            r"|(?:unable|not permitted|refus\w+) to relay|do(?:es)? not relay|client host"
            r"|traffic not accepted from this IP",
            re.IGNORECASE,
        ),
    ),
)


# Replies into verdicts.


def check(step: str, answer: Reply, refused: VerdictType, *, wanted: int = 2) -> None:
    """Raises unless the answer's code begins with `wanted`. step: the command, as "AUTH"; refused: what a 5xx means."""
    if answer[0] // 100 != wanted:
        raise verdict(step, answer, refused)


def verdict(step: str, answer: Reply, refused: VerdictType) -> Exception:
    """4xx: SMTPServerBusy; 5xx: `refused`; any other code is not SMTP here, so the link can't be trusted."""
    if answer[0] // 100 == 4:
        return later_verdict(f"{step}: ", answer)
    kind: VerdictType = refused if answer[0] // 100 == 5 else SMTPLinkLost
    return kind(f"{step}: {reply_text(*answer)}")


def later_verdict(step: str, answer: Reply) -> SMTPServerBusy:
    """The verdict of a 4xx. step: what stands before the server's words."""
    words = reply_text(*answer)
    asked = patience.asked_for(words)
    if asked:
        return SMTPServerAskedToWait(step + words, asked, hold=patience.is_for_all(words))
    return SMTPServerBusy(step + words)


def sender_verdict(answer: Reply) -> Exception:
    """The verdict of an answer to MAIL that is not 2xx. A 5xx refuses the sender, or the mail for its size."""
    if answer[0] in LOGIN_WANTED:
        return SMTPLoginRefused(f"MAIL: {reply_text(*answer)}")
    if fault := _over_quota("MAIL", answer):
        return fault
    is_about_the_mail = answer[0] in _NOT_THE_SENDER or _ENHANCED_OF_SIZE.match(reply_text(*answer))
    return verdict("MAIL", answer, MailRefused if is_about_the_mail else SMTPSenderRefused)


def mail_verdict(step: str, answer: Reply) -> Exception:
    """The verdict of an answer to RCPT, DATA or the content. Many servers refuse us, and not the mail, only there."""
    kind: VerdictType = MailRefused
    if answer[0] in LOGIN_WANTED:
        kind = SMTPLoginRefused
    elif fault := _over_quota(step, answer):
        return fault
    elif answer[0] // 100 == 5:
        words = reply_text(*answer)
        kind = next((fault for fault, pattern in _AGAINST_US if pattern.search(words)), MailRefused)
    return verdict(step, answer, kind)


def _over_quota(step: str, answer: Reply) -> Exception | None:
    """The verdict of a 5xx that says that we have sent too much; None of any other answer."""
    words = reply_text(*answer)
    asked = patience.asked_for_by_refusal(words) if answer[0] // 100 == 5 else None
    return SMTPServerAskedToWait(f"{step}: {words}", asked, hold=True) if asked else None


def none_accepted_verdict(refused: Mapping[str, Reply]) -> Exception:
    """The verdict of a mail with no recipient accepted. If any is to be asked again, so is the mail."""
    later = {to: answer for to, answer in refused.items() if not is_final(answer)}
    if later:
        return put_off_verdict(later)
    fault = _of_recipients(refused)
    if isinstance(fault, MailRefused):
        fault.answers = refused
    return fault


def put_off_verdict(later: Mapping[str, Reply], *, have_it: int = 0) -> Exception:
    """The verdict of recipients who are to be asked again: of the reply that asks for the longest wait.

    have_it: how many other recipients have the mail."""
    faults = [_of_recipients({to: answer, **later}) for to, answer in later.items()]
    fault = max(faults, key=lambda fault: getattr(fault, "after_s", 0.0))
    if have_it:
        fault.args = (f"{fault}; {have_it} others have it",)
    return fault


def _of_recipients(answers: Mapping[str, Reply]) -> Exception:
    """The verdict of the first answer; the error names how many more there are."""
    to, answer = next(iter(answers.items()))
    others = f" (and {len(answers) - 1} more)" if len(answers) > 1 else ""
    if is_over_limit(answer):
        answer = (452, answer[1])  # RFC 5321, 4.5.3.1.10: 552 for too many recipients means 452, later.
    return mail_verdict(f"RCPT {to}{others}", answer)


def is_final(answer: Reply) -> bool:
    """Whether this answer to RCPT refuses the recipient for good."""
    return answer[0] // 100 == 5 and not is_over_limit(answer) and isinstance(mail_verdict("RCPT", answer), MailRefused)


def is_over_limit(answer: Reply) -> bool:
    """Whether this answer to RCPT means "too many recipients for one mail": the rest get a mail of their own."""
    return _TOO_MANY.search(reply_text(*answer)) is not None


def reply_text(code: int, text: bytes | str) -> str:
    """A reply fit for a log line and a job's record: one line, no control characters, 300 characters at most."""
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    words = text if text.isprintable() and "  " not in text else _UNFIT.sub(" ", text)
    return f"{code} {words.strip()}"[:_REPLY_CHARS].rstrip()


def error_text(exc: OSError) -> str:
    """The error's text in the same form; the error's class if it has no text."""
    return reply_text(0, str(exc))[2:] or type(exc).__name__


@contextmanager
def translated(step: str) -> Iterator[None]:
    """Turns errors of smtplib and of sockets into SMTPLinkLost, and those of TLS into SMTPSessionRefused. (All are
    OSErrors.) step: what stands before the error's words, as "mail.example:587"."""
    try:
        yield
    except ssl.SSLCertVerificationError as exc:
        words = f"{step}: its certificate is not to be trusted: {exc.verify_message or error_text(exc)}"
        raise SMTPSessionRefused(
            f"{words}; is SMTP_URL's host the name in it? SSL_CERT_FILE adds one to trust"
        ) from exc
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as exc:
        raise link_lost(step, exc) from exc
    except ssl.SSLError as exc:
        hint = "no TLS is spoken there; smtp://…?starttls=1 begins without" if _speaks_no_tls(exc) else error_text(exc)
        raise SMTPSessionRefused(f"{step}: {hint}") from exc
    except OSError as exc:
        raise link_lost(step, exc) from exc


def link_lost(step: str, exc: OSError) -> SMTPLinkLost:
    return SMTPLinkLost(f"{step}: {error_text(exc)}")


def _speaks_no_tls(exc: ssl.SSLError) -> bool:
    return exc.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")
