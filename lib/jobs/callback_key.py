"""What a service is sent so that it can end a job later: the last part of the URL that it calls back. Pure.

    https://waybill.example.com/api/callbacks/webhook-01a2074f9c0b800080005d12a47e70c4.3.wb_Zk3vT9qLm2Xc_…
                                              the job                                 the attempt's token, and a secret

The secret has the form of an API key, so that whatever masks keys in a log masks it too. Redis keeps its SHA-256 alone.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from lib.ids import queue_of
from lib.settings.api_keys import KEY, digest, key_text

_TEXT = re.compile(rf"(?P<job_id>[a-z0-9_-]{{34,97}})\.(?P<token>[0-9]{{1,15}})\.(?P<secret>{KEY.pattern})")


class CallbackKey(NamedTuple):
    """token: of the attempt, as its claim gave it."""

    job_id: str
    token: int
    secret: str

    def __repr__(self) -> str:
        return f"CallbackKey({self.job_id!r}, {self.token}, …)"

    @property
    def text(self) -> str:
        return f"{self.job_id}.{self.token}.{self.secret}"

    @property
    def sha256(self) -> str:
        """The hash of the secret, in hex."""
        return digest(self.secret).hex()


def new_callback_key(job_id: str, token: int, choose: Callable[[Sequence[str]], str]) -> CallbackKey:
    """choose: picks one of several letters, unpredictably."""
    return CallbackKey(job_id, token, key_text(choose))


def read_callback_key(text: str) -> CallbackKey | None:
    """None for a text that is no callback's key."""
    match = _TEXT.fullmatch(text)
    if match is None or queue_of(match["job_id"]) is None:
        return None
    return CallbackKey(match["job_id"], int(match["token"]), match["secret"])
