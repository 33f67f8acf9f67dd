"""A change that comes with an idempotency key, and the script's answer if the key came before. Pure."""

from lib.errors import IdempotencyKeyReused


def is_replay(answer: str) -> bool:
    """True if the same request made the change before, under the same key; nothing was changed now.

    answer: `replayed`, `conflict`, or anything else that the script answers. Raises IdempotencyKeyReused for
    `conflict`: the key came before with another request.
    """
    if answer == "conflict":
        raise IdempotencyKeyReused("it came before with another request; send the same request again, or another key")
    return answer == "replayed"
