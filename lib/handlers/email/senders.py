"""Whom a mail may come from, beside MAIL_FROM: what MAIL_FROM_ALLOWED names, an address or a whole domain.

Asked twice by email.py: at POST, where the answer is a 422, and by the worker before it sends, for its settings may be
narrower than the server's, or have become so since. The display name is free. WHY NOT any sender: whoever may queue a
mail could then write in everybody's name, and the mail server would sign it.
"""

from collections.abc import Iterable
from contextlib import suppress

from lib.errors import ConfigError
from lib.handlers.email import domain_names
from lib.handlers.email.mailbox import Mailbox, parse_mailbox
from lib.jobs.registry import Discard
from lib.settings.config import Settings


class SenderNotAllowed(Discard):
    """The mail's `from` is none that MAIL_FROM_ALLOWED names; dead at once, for no attempt would change that."""


class Senders:
    """`Senders(settings)` reads MAIL_FROM and MAIL_FROM_ALLOWED. Raises ConfigError for what can be neither."""

    def __init__(self, settings: Settings) -> None:
        faults: list[str] = []
        self._allowed = frozenset(_read(settings.mail_from_allowed, faults))
        if faults:
            raise ConfigError(faults)
        with suppress(ValueError):  # Mailer says what is wrong with it.
            self._allowed |= {parse_mailbox(settings.mail_from).address.lower()}

    def check(self, sender: Mailbox) -> None:
        """Raises ValueError for one who is not allowed."""
        # Capitals before the @ may mean another mailbox (RFC 5321, 2.4), and nowhere do.
        if self._allowed.isdisjoint((sender.address.lower(), f"@{sender.domain}")):
            raise ValueError(
                f"is {sender.address}, which MAIL_FROM_ALLOWED does not name: there, an address or a domain "
                "allows mails from others than MAIL_FROM"
            )


def _read(entries: Iterable[str], faults: list[str]) -> Iterable[str]:
    """An address in small letters, or `@` and a domain, for each."""
    for entry in entries:
        try:
            at = entry.rpartition("@")
            yield parse_mailbox(entry).address.lower() if at[0] else f"@{domain_names.to_ascii(at[2])}"
        except ValueError as fault:
            faults.append(f"MAIL_FROM_ALLOWED: {entry!r} {fault}")
