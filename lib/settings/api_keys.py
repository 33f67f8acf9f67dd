"""API keys as values: the entries of API_KEYS, how a key is made, and when it expires.

    wb_Zk3vT9qLm2Xc_…43 letters and digits…                 a key: `wb_<id>_<secret>`, which its holder sends
    shop:write:Zk3vT9qLm2Xc:6e0c…64 hex…:2027-01-31         its entry in API_KEYS: NAME:scope:id:sha256hex[:expires]
    ApiKey("shop", "write", "Zk3vT9qLm2Xc", b"n\\x0c…", "2027-01-31")      the entry, parsed

The id finds the entry, and the secret proves that the sender holds the key. Settings hold the SHA-256 of the whole key
and nothing that could be sent in its place. Passwords need a slow hash, keys do not: nobody can try the 2^256 secrets,
and each request would pay for a slow hash.

Read by config.py, made by `python server.py --new-key`, checked against requests by web/auth.py.
"""

import hashlib
import re
import string
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Literal, NamedTuple, get_args

Scope = Literal["read", "write", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""Each scope includes those before it."""

LETTERS = string.ascii_letters + string.digits
ID_CHARS = 12
SECRET_CHARS = 43
KEY = re.compile(rf"wb_([A-Za-z0-9]{{{ID_CHARS}}})_[A-Za-z0-9]{{{SECRET_CHARS}}}")
# A key as `without_keys` looks for it: a key that is cut short, percent-encoded (or twice so), in capitals or followed
# by more letters is a secret all the same: whoever reads it can put it right.
_CHAR = "(?:[A-Za-z0-9]|%[0-9A-Fa-f]{2})"
_BLANK = "(?>(?:_|%(?:25)*5[Ff])+)"
_LIKE_KEY = re.compile(
    rf"(?:[Ww]|%(?:25)*[57]7)(?:[Bb]|%(?:25)*[46]2){_BLANK}({_CHAR}{{{ID_CHARS}}}){_BLANK}(?>(?:{_CHAR}|_)+)"
)
SOON_S = 14 * 86_400.0
"""How long before its expiry a key is reported by `ageing`."""
FORM = "NAME:scope:id:sha256hex[:expires]"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ID = re.compile(rf"[A-Za-z0-9]{{{ID_CHARS}}}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(rf"{_DAY.pattern}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(Z|[+-][0-9]{{2}}:[0-9]{{2}})")


class ApiKey(NamedTuple):
    """One entry of API_KEYS. expires: as in the entry, a day or a moment; "" for never."""

    name: str
    scope: Scope
    key_id: str
    sha256: bytes
    expires: str = ""

    def __repr__(self) -> str:
        return f"ApiKey({self.name!r}, {self.scope!r}, {self.key_id!r}, expires={self.expires!r})"

    @property
    def expires_s(self) -> float | None:
        """Seconds since the epoch; None for never."""
        return expiry_s(self.expires) if self.expires else None


def parse(text: str) -> tuple[ApiKey, ...]:
    """The entries of API_KEYS. Raises ValueError, whose words do not quote the entry: somebody may have put a key
    there."""
    keys: list[ApiKey] = []
    for number, entry in enumerate(filter(None, map(str.strip, text.split(","))), 1):
        try:
            keys.append(_entry(entry))
        except ValueError as fault:
            raise ValueError(f"entry {number} {fault}") from None
    ids = [key.key_id for key in keys]
    for key in keys:
        if ids.count(key.key_id) > 1:
            raise ValueError(f"the id {key.key_id} stands there twice")
    return tuple(keys)


def _entry(text: str) -> ApiKey:
    # The expiry comes last, because it may hold colons of its own.
    name, scope, key_id, sha256, expires = (*text.split(":", 4), "", "", "", "")[:5]
    if KEY.search(text):
        raise ValueError("holds a key itself; put the line there that --new-key printed second")
    if not _NAME.fullmatch(name):
        raise ValueError(f"is not of the form {FORM}; its name is not 1 to 64 letters, digits, dots, _ and -")
    if scope not in SCOPES:
        raise ValueError(f"is not of the form {FORM}; its scope is not one of {', '.join(SCOPES)}")
    if not _ID.fullmatch(key_id) or not _SHA256.fullmatch(sha256):
        raise ValueError(f"is not of the form {FORM}; make one with python server.py --new-key {name} --scope {scope}")
    if text.count(":") > 3:
        expiry_s(expires)
    return ApiKey(name, scope, key_id, bytes.fromhex(sha256), expires)


def expiry_s(text: str) -> float:
    """When a key with this expiry ends, in seconds since the epoch: at the moment "2027-01-31T12:00:00Z", or at the
    end of the day "2027-01-31" in UTC. Raises ValueError."""
    try:
        if _DAY.fullmatch(text):
            day = datetime.strptime(text, "%Y-%m-%d")
            return (datetime.combine(day, time(), UTC) + timedelta(days=1)).timestamp()
        if _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        pass
    raise ValueError("does not end in a date or time of expiry, as in 2027-01-31 or 2027-01-31T12:00:00Z")


def ageing(keys: Sequence[ApiKey], now_s: float) -> list[str]:
    """A sentence for each key that has expired or expires within SOON_S, unless another key of its name lasts
    longer."""
    lasting = {key.name for key in keys if key.expires_s is None or key.expires_s - now_s > SOON_S}
    return [
        f"a key of {key.name} {'has expired' if key.expires_s <= now_s else 'expires'}: {key.expires}; "
        "make the next one with python server.py --new-key"
        for key in keys
        if key.expires_s is not None and key.expires_s - now_s <= SOON_S and key.name not in lasting
    ]


def new_key(name: str, scope: Scope, expires: str, choose: Callable[[Sequence[str]], str]) -> tuple[str, str]:
    """(the key, its entry for API_KEYS). choose: picks one of several letters, unpredictably. Raises ValueError."""
    key = key_text(choose)
    entry = ":".join((name, scope, key[3 : 3 + ID_CHARS], digest(key).hex(), *filter(None, [expires])))
    _entry(entry)
    return key, entry


def key_text(choose: Callable[[Sequence[str]], str]) -> str:
    """A new text of the form KEY. choose: as of `new_key`."""
    key_id, secret = ("".join(choose(LETTERS) for _ in range(count)) for count in (ID_CHARS, SECRET_CHARS))
    return f"wb_{key_id}_{secret}"


def without_keys(text: str) -> str:
    """The text with `wb_<id>_...` in place of each key, fit for a log: a caller may put a key into a path or a
    header."""
    return _LIKE_KEY.sub(r"wb_\1_...", text) if "_" in text or "%" in text else text


def digest(key: str) -> bytes:
    """The SHA-256 of a key: all that settings and memory keep of it."""
    return hashlib.sha256(key.encode("ascii", "replace")).digest()
