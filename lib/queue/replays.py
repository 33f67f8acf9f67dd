"""A change that comes with an idempotency key, and the script's answer if the key came before. Pure.

POST …/cancel, …/retry, …/pause and …/resume take a key; job_store.py and queue_store.py ask `is_replay` of the answers
of cancel.lua, retry.lua and adjust.lua.
"""

from lib.errors import IdempotencyKeyReused


def is_replay(answer: str) -> bool:
    """True if the same request made the change before, under the same key; nothing was changed now.

    answer: `replayed`, `conflict`, or anything else that the script answers. Raises IdempotencyKeyReused for
    `conflict`: the key came before with another request.
    """
    if answer == "conflict":
        raise IdempotencyKeyReused("it came before with another request; send the same request again, or another key")
    return answer == "replayed"
