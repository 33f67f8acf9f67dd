"""A change that was asked for under an idempotency key, and what its script says of that; see lua/_asked.lua. Pure."""

from lib.errors import IdempotencyKeyReused


def is_replay(said: str) -> bool:
    """Whether it had been made before, under the same key. Raises IdempotencyKeyReused where the key was another
    request's."""
    if said == "conflict":
        raise IdempotencyKeyReused("it came before with another request; send the same request again, or another key")
    return said == "replayed"
