"""What a job of type webhook has where nothing else is said: for `@job` in lib/handlers/webhook, and for whoever queues
such a job without knowing the job modules (end_webhook.py). Pure.
"""

from typing import Final

from lib.http1.client.url import read_url
from lib.jobs.backoff import Backoff

WEBHOOK_TYPE: Final = "webhook"
WEBHOOK_QUEUE: Final = "webhook"
MAX_ATTEMPTS: Final = 18
BACKOFF: Final = Backoff(30.0, 43_200.0)
"""Base and cap, in seconds. With full jitter the 17 pauses make 44 hours in the mean, and of 100 webhooks 99 are tried
for at least a day: so long a receiver may be down. A test adds the pauses up."""
TIMEOUT_S: Final = 30
GROUP_CONCURRENCY: Final = 10
"""With what the queue begins: so many webhooks at once go to one host."""
MOST_IN_GROUP: Final = 128


def group_of_host(url: str) -> str:
    """The group of a webhook: host and port of its URL, as "api.example.com:443". Of a long one the last 128 letters.

    WHY: what says "too many requests" to one webhook would say so to all for the same host, and a receiver that is
    mute must keep no other one waiting. Raises ValueError for what is no URL.
    """
    target = read_url(url)
    return f"{target.host}:{target.port}"[-MOST_IN_GROUP:]
