"""What SMTP's answers and broken links mean for a mail: each is turned into one of these errors, and the type decides.

What is no `Discard` is tried again. Raised by smtp_dial.py, smtp_wire.py and smtp.py; the types stand in the job's
record and may be named in a redrive (`error_type`).

1. The mail is refused (5xx to MAIL, RCPT or the content): dead. Asking again would get the same answer.
2. The server can't now (4xx), can't be reached, or refuses the session (5xx before MAIL): later. A server that is set
   up wrongly or that blocks us refuses everyone's mail; dropping it all would be worse than sending it late.
3. The link broke after the last byte and before the answer: nobody knows. See email.py's on_uncertain.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from lib.jobs.registry import Discard, Retry

LOGIN_RETRY_S = 300.0

Reply = tuple[int, bytes | str]
Verdict = Callable[[str], Exception]

_REPLY_CHARS = 300
_UNFIT = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")


class SMTPServerBusy(Exception):
    """4xx: not now. Nothing was accepted."""


class SMTPLinkLost(Exception):
    """No connection, or it broke before the mail was handed over whole. Nothing was accepted."""


class SMTPSessionRefused(Exception):
    """The server takes no session from us, or offers no STARTTLS where one is asked for. Nothing was sent."""


class SMTPLoginRefused(Retry):
    """User or password are wrong, or a login is missing: the operator's mistake, not the mail's, so the mail waits.

    Five minutes at a time, not the job's seconds of backoff: there must be time to mend it, and servers lock
    accounts after a few wrong passwords.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason, after_s=LOGIN_RETRY_S)


class MailRefused(Discard):
    """5xx: the server will not have this mail, or none of its recipients."""


class DeliveryUncertain(Retry):
    """The whole mail was sent, no answer came: the server may have accepted it.

    A Retry, which is a handler's own word: so it stands in the record of a job that was timed out meanwhile, too.
    """


# Replies into verdicts.


def check(step: str, answer: Reply, refused: Verdict, *, wanted: int = 2) -> None:
    if answer[0] // 100 != wanted:
        raise refusal(step, answer, refused)


def refusal(step: str, answer: Reply, refused: Verdict) -> Exception:
    """4xx: busy; 5xx: `refused`; anything else is not SMTP, so the link can't be trusted."""
    kind: Verdict = {4: SMTPServerBusy, 5: refused}.get(answer[0] // 100, SMTPLinkLost)
    return kind(f"{step}: {say(*answer)}")


def none_accepted(refused: Mapping[str, Reply]) -> Exception:
    """One that was only put off is reason enough to come again; the word of that one is told."""
    to, answer = next((item for item in refused.items() if item[1][0] < 500), next(iter(refused.items())))
    others = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
    return refusal(f"RCPT {to}{others}", answer, MailRefused)


def say(code: int, text: bytes | str) -> str:
    """A reply fit for a log line and a job's record: one line, no control characters, 300 characters at most."""
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    words = text if text.isprintable() and "  " not in text else _UNFIT.sub(" ", text)
    return f"{code} {words.strip()}"[:_REPLY_CHARS].rstrip()


def reason(exc: OSError) -> str:
    """What the system or smtplib says went wrong, in the same form."""
    return say(0, str(exc))[2:] or type(exc).__name__


@contextmanager
def translated(step: str) -> Iterator[None]:
    """smtplib's and the socket's errors into SMTPLinkLost. (SMTPException is an OSError.)"""
    try:
        yield
    except OSError as exc:
        raise lost(step, exc) from exc


def lost(step: str, exc: OSError) -> SMTPLinkLost:
    return SMTPLinkLost(f"{step}: {reason(exc)}")
