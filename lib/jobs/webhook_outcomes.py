"""What became of the requests that webhooks are. A runner counts them, and takes the counts to Redis once a second.

    taken              answered with a 2xx
    refused            answered with another status; the job is tried again
    refused_for_good   answered so that the job is dead: 410, say
    no_answer          nobody answered, and the host rests
    not_allowed        the host has no address that webhooks may reach; no byte was sent

/metrics shows them as waybill_webhooks_total{queue, outcome}. No host and no URL is ever a label.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

OUTCOMES: Final = ("taken", "refused", "refused_for_good", "no_answer", "not_allowed")


class WebhookOutcomes:
    """The counts of one runner. A resource of its jobs that has them as `outcomes` is asked for them."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def note(self, queue: str, outcome: str) -> None:
        """One request of a job of that queue has come to this outcome, one of OUTCOMES."""
        self._counts[queue, outcome] += 1

    def take(self) -> Mapping[tuple[str, str], int]:
        """The counts since the last call, by queue and outcome."""
        taken, self._counts = self._counts, Counter()
        return taken
