"""How long a mail server asks us to wait: its reply in, a Patience out, or None if it asks for no wait.

    "450 4.2.0 Greylisted, try again in 300 seconds"    Patience(300, 300)      the reply names the interval
    "451 4.7.1 come back in 00:05:00"                   Patience(300, 300)
    "450 4.2.0 Greylisted"                              Patience(300, 300)      greylisting lasts for minutes
    "432 4.3.2 Concurrent connections limit exceeded"   Patience(2, 60)         2 s at first, then longer each time
    "452 4.5.3 Daily quota exceeded"                    Patience(3600, 3600)
    "452 4.3.1 Insufficient system storage"             None                    the job's own backoff is right

verdicts.py asks for each reply that means "later". A mail that is put off because the server asked for it has not
failed: no attempt is counted. Pure.
"""

import re
from random import Random
from typing import NamedTuple

from lib.jobs.backoff import delay_s

GREYLISTED_S = 300.0  # The default of Postgrey and of most others.
DAILY_S = 3600.0
LONGEST_S = 86_400.0
LATER_BY = 0.1
LATER_S = 60.0
"""A wait is longer than the interval by a random part, up to a tenth of it and a minute: mails that were put off
together do not come back together."""


class Patience(NamedTuple):
    """How long to wait, in seconds: base_s, or, if cap_s is more, longer each time up to cap_s, as a backoff."""

    base_s: float
    cap_s: float

    def pause_s(self, times: int, rng: Random) -> float:
        """Seconds until the next try of a mail that was put off `times` times so far (1: just now, for the first
        time)."""
        if self.cap_s > self.base_s:
            return delay_s(times, base_s=self.base_s, cap_s=self.cap_s, rng=rng)
        return self.base_s + rng.uniform(0.0, min(LATER_S, max(1.0, self.base_s * LATER_BY)))


CONNECTIONS = Patience(2, 60)
# A minute at most: then a thousand mails that wait keep a server busy that takes 14 a second. With a quarter of an hour
# at most that server was idle most of the time.
RATE = Patience(2, 60)
POLICY = Patience(15, 900)
DAILY = Patience(DAILY_S, DAILY_S)
GREYLIST = Patience(GREYLISTED_S, GREYLISTED_S)

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "ten": 10, "fifteen": 15}
_NUMBERS |= {"twenty": 20, "thirty": 30, "sixty": 60, "few": 5, "several": 5}
_KEYWORD = (
    r"\b(?:again|retr(?:y|ied|ying)|back|wait|re-?send|re-?submit|gr[ea]y[- ]?list\w*|deferred|delay(?:ed)?|after)\b"
)
_UNIT = r"(s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?)(?![a-z])"
_NAMED = (
    # in 00:05:00, in 05:00
    re.compile(rf"{_KEYWORD}[^0-9]{{0,40}}?\b(?:in|after|for) (?:(\d{{1,2}}):)?(\d{{1,2}}):(\d\d)\b", re.IGNORECASE),
    # in 300 seconds, 5min
    re.compile(rf"{_KEYWORD}[^0-9]{{0,40}}?(\d{{1,6}}(?:\.\d{{1,3}})?) ?{_UNIT}", re.IGNORECASE),
    # in five minutes, in a few minutes
    re.compile(rf"{_KEYWORD}[^0-9]{{0,40}}?\b({'|'.join(_NUMBERS)}) {_UNIT}", re.IGNORECASE),
    # after 300
    re.compile(rf"{_KEYWORD}[^0-9]{{0,40}}?(?:\b(?:in|after|for)|[=:]) ?(\d{{1,6}})(?=$|[.,;)](?!\d))", re.IGNORECASE),
)
_GREY = re.compile(r"gr[ea]y[- ]?list|postgrey|sqlgrey", re.IGNORECASE)
_CONNECTIONS = re.compile(
    r"concurrent|simultaneous|(?:too many|max\w*|limit\w*|exceed\w*)[^.]{0,40}(?:connection|session|thread)s?\b"
    r"|(?:connection|session|thread)s?\b[^.]{0,30}(?:limit|exceeded|too many)",
    re.IGNORECASE,
)
_DAY = r"(?:daily|(?:per|a|each) day|24[- ]?h(?:ou)?rs?)"
_DAILY = re.compile(
    rf"{_DAY}[^.]{{0,40}}(?:quota|limit|exceed)|(?:quota|limit|exceed)[^.]{{0,40}}{_DAY}", re.IGNORECASE
)
_RATE = re.compile(
    r"throttl|\brate (?:limit|exceed)|(?:sending|message|mail) rate\b|rate-?limit"
    r"|too (?:many(?! recip)|much|fast|quick)|slow(?:ing)? down|too often"
    r"|(?:limit|quota)[^.]{0,30}(?:exceed|reach|hit)|(?:exceed|reach)\w*[^.]{0,40}(?:limit|quota)",
    re.IGNORECASE,
)
# Faults of the server or of one mailbox: fewer mails from us would not mend them.
_FULL_OR_SLOW = re.compile(
    r"^\d{3} 4\.(?:2\.2|3\.1|4\.2)\b|mailbox|over ?quota|storage|disk|\bsize\b|time[d-]? ?out", re.I
)
_OF_RECIPIENT = re.compile(r"^\d{3} 4\.[12]\.")
CONGESTED = "4.4.5 "
"""RFC 3463: the mail system is congested."""
# A 5xx with such words does not refuse the mail: we have sent too many.
_OUR_QUOTA = re.compile(
    rf"{_DAY}[^.]{{0,40}}(?:quota|limit)|(?:hourly|sending|submission|send) (?:rate |message )?(?:limit|quota)"
    r"|SubmissionQuotaExceeded|rate limit|throttl",
    re.IGNORECASE,
)


def asked_for(words: str) -> Patience | None:
    """words: a 4xx reply, as verdicts.reply_text gives it: "450 4.2.0 Greylisted, try again in 300 seconds"."""
    interval_s = named_s(words)
    if interval_s is not None:
        return Patience(interval_s, interval_s)
    if _GREY.search(words):
        return GREYLIST
    if _FULL_OR_SLOW.search(words):
        return None
    if words.startswith("432") or _CONNECTIONS.search(words):
        return CONNECTIONS
    if _DAILY.search(words):
        return DAILY
    return RATE if _RATE.search(words) else _by_code(words)


def is_for_all(words: str) -> bool:
    """Whether the wait that a 4xx reply asks for is for all our mails: we send too much, or too fast.

    Not so where it is for one recipient (RFC 3463: X.1 and X.2 are about an address), for greylisting is that too; and
    not for a limit of connections, for the mails that have one go on.
    """
    if _GREY.search(words) or _OF_RECIPIENT.match(words) or _CONNECTIONS.search(words):
        return False
    return words.startswith(("421 4.7.", f"451 {CONGESTED}")) or bool(_DAILY.search(words) or _RATE.search(words))


def asked_for_by_refusal(words: str) -> Patience | None:
    """As `asked_for`, of a 5xx reply: some providers answer a mail over their quota with a refusal for good."""
    if not _OUR_QUOTA.search(words) or _FULL_OR_SLOW.search(words):
        return None
    return DAILY if _DAILY.search(words) else RATE


def named_s(words: str) -> float | None:
    """The interval that the reply names, in seconds: at least one, at most a day."""
    for pattern, read in zip(_NAMED, (_of_clock, _of_unit, _of_words, _of_seconds), strict=True):
        if match := pattern.search(words, 3):  # 3: behind the code.
            return min(LONGEST_S, max(1.0, float(read(match))))
    return None


def _by_code(words: str) -> Patience | None:
    """By the codes of RFC 3463. X.7 means policy: with 450 and 451 that is greylisting under another name."""
    code, _, rest = words.partition(" ")
    if code == "421" and rest.startswith("4.7."):
        return POLICY
    if code in ("450", "451") and rest.startswith("4.7."):
        return GREYLIST
    if rest.startswith(CONGESTED):
        return RATE
    return POLICY if rest.startswith(("4.2.1 ", "4.5.3 ")) else None


def _of_clock(match: re.Match[str]) -> int:
    return int(match[1] or 0) * 3600 + int(match[2]) * 60 + int(match[3])


def _of_unit(match: re.Match[str]) -> float:
    return float(match[1]) * _SECONDS[match[2][0].lower()]


def _of_words(match: re.Match[str]) -> int:
    return _NUMBERS[match[1].lower()] * _SECONDS[match[2][0].lower()]


def _of_seconds(match: re.Match[str]) -> int:
    return int(match[1])
