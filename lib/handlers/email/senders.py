"""Who may be the sender of a mail, beside MAIL_FROM: the addresses and whole domains in MAIL_FROM_ALLOWED.

    MAIL_FROM_ALLOWED=shop@x.example,y.example      "from": "Shop <Shop@x.example>"   allowed
                                                    "from": "anybody@y.example"       allowed
                                                    "from": "boss@x.example"          422; in a runner, a dead job

Checked twice: at POST, and by the runner before it sends, for the worker's settings may be narrower than the server's,
or narrower than they were at POST. The display name is free. WHY NOT any sender: whoever may queue a mail could then
write in everybody's name, and the mail server would sign the mail.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress

from lib.errors import ConfigError, FieldError
from lib.handlers.email import domain_names
from lib.handlers.email.email_payload import Email
from lib.handlers.email.mailbox import Mailbox, parse_mailbox
from lib.jobs.payload import Invalid
from lib.jobs.registry import Discard
from lib.settings.config import Settings


class SenderNotAllowed(Discard):
    """MAIL_FROM_ALLOWED does not name the mail's `from`. The job is dead at once, for no attempt would change that."""


class Senders:
    """`Senders(settings)` reads MAIL_FROM and MAIL_FROM_ALLOWED. Raises ConfigError for an entry of MAIL_FROM_ALLOWED
    that is neither an address nor a domain."""

    def __init__(self, settings: Settings) -> None:
        faults: list[str] = []
        self._allowed = frozenset(_read(settings.mail_from_allowed, faults))
        if faults:
            raise ConfigError(faults)
        with suppress(ValueError):  # The Mailer reports what is wrong with MAIL_FROM.
            self._allowed |= {parse_mailbox(settings.mail_from).address.lower()}

    def check(self, sender: Mailbox) -> None:
        """Raises ValueError if `sender` is not allowed."""
        # RFC 5321, 2.4: capitals before the @ could mean another mailbox. On no server do they.
        if self._allowed.isdisjoint((sender.address.lower(), f"@{sender.domain}")):
            raise ValueError(
                f"is {sender.address}, which MAIL_FROM_ALLOWED does not name: there, an address or a domain "
                "allows mails from others than MAIL_FROM"
            )


def senders_allowed(settings: Settings) -> Callable[[Email], None]:
    """The check of a payload at POST: raises Invalid if MAIL_FROM_ALLOWED does not name its `from`."""
    senders = Senders(settings)

    def check(payload: Email) -> None:
        try:
            if payload.sender is not None:
                senders.check(payload.sender)
        except ValueError as fault:
            raise Invalid([FieldError("/from", str(fault))]) from None

    return check


def _read(entries: Iterable[str], faults: list[str]) -> Iterable[str]:
    """For each entry of MAIL_FROM_ALLOWED: the address in small letters, or `@` and the domain."""
    for entry in entries:
        try:
            at = entry.rpartition("@")
            yield parse_mailbox(entry).address.lower() if at[0] else f"@{domain_names.to_ascii(at[2])}"
        except ValueError as fault:
            faults.append(f"MAIL_FROM_ALLOWED: {entry!r} {fault}")
