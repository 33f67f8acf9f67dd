"""How far one mail is over all its attempts: which recipients have it, which are refused, which are to be asked again.

A mail to several recipients may be accepted for some of them. The job's checkpoint carries that from one attempt to the
next, and the next attempt asks only the recipients that are still open:

    {"accepted": ["jane@x.example"],                                   the server took the mail for them
     "refused": {"nobody@y.example": "550 5.1.1 no such user"},        for good
     "deferred": {"bob@y.example": "450 4.2.1 try again later"},       to be asked again: what the server said last
     "response": "250 2.0.0 queued as 4F1",                            the answer to the mail itself
     "uncertain": 1, "waits": 2}                                       each is absent where it is 0

The job's result has the same fields, without the two counts. Pure.
"""

from typing import Any

from lib.handlers.email.smtp.session import Receipt
from lib.handlers.email.smtp.verdicts import Reply, reply_text

FEW_RECIPIENTS = 25
SHORT_REPLY_CHARS = 100
"""Kept of each reply if a mail has more than FEW_RECIPIENTS: a result or a checkpoint has room for 64 KiB."""


class MailProgress:
    """The state of one mail. open: the recipients to ask next, in this attempt or, if `later` names any, another one.

    accepted, deferred, refused, response: as in the checkpoint above. later: the replies of this attempt that mean
    "ask again"; `deferred` has those of earlier attempts as well. uncertain: how many attempts nobody knows the outcome
    of. waits: how many times the server asked us to wait.
    """

    def __init__(self, recipients: tuple[str, ...]) -> None:
        self.open = recipients
        self.accepted: list[str] = []
        self.deferred: dict[str, str] = {}
        self.later: dict[str, Reply] = {}
        self.refused: dict[str, str] = {}
        self.response = ""
        self.file = ""
        self.uncertain = 0
        self.waits = 0
        self._reply_chars = None if len(recipients) <= FEW_RECIPIENTS else SHORT_REPLY_CHARS

    @classmethod
    def after(cls, checkpoint: Any, recipients: tuple[str, ...]) -> "MailProgress":
        """Where the attempt before stopped. checkpoint: the one that it left, or None; anything may stand in it.

        An address in the checkpoint that is no recipient any more, as after a PATCH of the payload, does not count.
        """
        progress = cls(recipients)
        if type(checkpoint) is not dict:
            return progress
        accepted, refused = checkpoint.get("accepted"), checkpoint.get("refused")
        progress.accepted = [to for to in recipients if type(accepted) is list and to in accepted]
        progress.refused = {to: str(refused[to]) for to in recipients if type(refused) is dict and to in refused}
        progress.open = tuple(to for to in recipients if to not in progress.accepted and to not in progress.refused)
        deferred = checkpoint.get("deferred")
        progress.deferred = {to: str(deferred[to]) for to in progress.open if type(deferred) is dict and to in deferred}
        progress.response = str(checkpoint.get("response", ""))
        progress.uncertain, progress.waits = (
            count if type(count := checkpoint.get(name)) is int else 0 for name in ("uncertain", "waits")
        )
        return progress

    def note(self, receipt: Receipt) -> None:
        """Take in what the server said to the recipients that were open."""
        self.accepted += receipt.accepted
        self.refused |= {to: answer[: self._reply_chars] for to, answer in receipt.refused.items()}
        self.later |= receipt.later
        self.deferred |= {to: reply_text(*answer)[: self._reply_chars] for to, answer in receipt.later.items()}
        for to in (*receipt.accepted, *receipt.refused):
            self.deferred.pop(to, None)
        self.open = receipt.beyond
        self.response = receipt.response or self.response
        self.file = receipt.file

    def checkpoint(self) -> dict[str, Any]:
        """For the next attempt, and for whoever reads the job meanwhile."""
        counts = {name: count for name, count in (("uncertain", self.uncertain), ("waits", self.waits)) if count}
        return {**self._outcomes(), **counts}

    def result(self) -> dict[str, Any]:
        return {**self._outcomes(), "file": self.file} if self.file else self._outcomes()

    def _outcomes(self) -> dict[str, Any]:
        return {
            "accepted": self.accepted,
            "deferred": self.deferred,
            "refused": self.refused,
            "response": self.response,
        }
