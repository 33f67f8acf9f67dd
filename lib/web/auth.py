"""The Authorization header against API_KEYS: whose key a request bears, and what the key's owner may do.

The middleware asks `caller_of` for every request, before it looks at anything else, and `key_error` only where an
operation needs a key and no good one came. Which operation needs which scope stands in api/routes.py.
A key is never logged, nor quoted in an answer.
"""

import hmac
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from lib.errors import ApiKeyInvalid, ApiKeyMissing, ScopeMissing, TooManyTries, WaybillError
from lib.http1.message import Request
from lib.logs.log import Log
from lib.settings.api_keys import KEY, SCOPES, ApiKey, Scope, digest
from lib.web.failed_tries import FailedTries

REALM = 'Bearer realm="waybill"'
_NO_SHA256 = bytes(32)
_RANKS: dict[Scope | None, int] = {scope: rank for rank, scope in enumerate((None, *SCOPES))}


class Caller(NamedTuple):
    """The owner of a key: Caller("ops", "write"). Two keys with the same name belong to one caller.

    expires_s: when the key expires, in seconds since 1970; None for never."""

    name: str
    scope: Scope | None
    expires_s: float | None = None

    def require(self, scope: Scope) -> None:
        """Raises ScopeMissing unless this caller's scope is `scope` or a wider one (read < write < admin)."""
        if _RANKS[self.scope] < _RANKS[scope]:
            challenge = f'{REALM}, error="insufficient_scope", scope="{scope}"'
            raise ScopeMissing(
                f"this takes a key of scope {scope}, and {self.name}'s has scope {self.scope}",
                headers=[("WWW-Authenticate", challenge)],
            )


ANYONE = Caller("-", "admin")
"""Every caller, where API_KEYS is empty. No key can have the name "-"."""
NOBODY = Caller("-", None)
"""A caller without a good key, where API_KEYS is set: may only call what needs no key."""


class Auth:
    """The keys of API_KEYS, by their ids. `clock` gives seconds since the epoch."""

    def __init__(
        self, keys: Iterable[ApiKey], tries: FailedTries, log: Log, *, clock: Callable[[], float] = time.time
    ) -> None:
        self.replace(keys)
        self._tries = tries
        self._log = log
        self._clock = clock

    def replace(self, keys: Iterable[ApiKey]) -> None:
        """Use `keys` in place of the former keys from the next request on, on open connections too. An answer that goes
        on meanwhile is not ended here (see has_good_key)."""
        self._keys = {key.key_id: (key.sha256, Caller(key.name, key.scope, key.expires_s)) for key in keys}

    def caller_of(self, request: Request) -> Caller:
        """Whose key the request bears: ANYONE where no keys are set, NOBODY for a missing, wrong or expired key."""
        if not self._keys:
            return ANYONE
        authorization = request.headers.get("authorization")
        if authorization is None:
            return NOBODY
        caller, is_expired = self._owner_of(_token(authorization) or "")
        return NOBODY if is_expired else caller

    def has_good_key(self, request: Request) -> bool:
        return self.caller_of(request) is not NOBODY

    def key_error(self, request: Request) -> WaybillError:
        """The error for a request of NOBODY to what needs a key. A wrong key counts as a failed try of its address."""
        token = _token(request.headers.get("authorization", ""))
        if token is None:
            detail = "send a key as Authorization: Bearer wb_…; python server.py --new-key makes one"
            return ApiKeyMissing(detail, headers=[("WWW-Authenticate", REALM)])
        retry_after_s = self._tries.count(request.peer)
        if retry_after_s:
            return TooManyTries(
                f"too many wrong keys came from your address; a good one is taken now, another in {retry_after_s} s",
                headers=[("Retry-After", str(retry_after_s))],
            )
        caller, is_expired = self._owner_of(token)
        reason = "has expired" if is_expired else "is not one of API_KEYS"
        self._log.warning(
            "auth.refused",
            f"A key was refused: it {reason}",
            request_id=request.request_id,
            peer=request.peer,
            caller=caller.name if is_expired else None,
        )
        challenge = f'{REALM}, error="invalid_token", error_description="the key {reason}"'
        return ApiKeyInvalid(f"the key {reason}", headers=[("WWW-Authenticate", challenge)])

    def _owner_of(self, token: str) -> tuple[Caller, bool]:
        """Whose key `token` is (NOBODY for a wrong one), and whether it has expired.

        An unknown key is compared with _NO_SHA256, so that it takes as long as a known one whose secret is wrong."""
        match = KEY.fullmatch(token)
        sha256, caller = self._keys.get(match[1] if match else "", (_NO_SHA256, NOBODY))
        if not hmac.compare_digest(digest(token), sha256):
            return NOBODY, False
        return caller, caller.expires_s is not None and self._clock() >= caller.expires_s


def _token(authorization: str) -> str | None:
    """The key in `Bearer wb_…` (RFC 6750 section 2.1); None for another scheme, which counts as no key at all."""
    scheme, _, token = authorization.partition(" ")
    return token.strip(" ") if scheme.lower() == "bearer" else None
