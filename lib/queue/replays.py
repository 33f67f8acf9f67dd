"""A change that was asked for under an idempotency key, and what its script says; see parts/idempotency.lua. Pure."""

from lib.errors import KeyReused


def is_replay(said: str) -> bool:
    """Whether it had been made before, under the same key. Raises KeyReused where the key was another request's."""
    if said == "conflict":
        raise KeyReused("it came before with another request; send the same request again, or another key")
    return said == "replayed"
