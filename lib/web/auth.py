"""Who calls, and what that caller may do: the Authorization header against API_KEYS.

`caller_of` is asked for every request, before anything of it is looked at; `refusal` only where no good key came and
one is needed. Which route needs which scope stands in the table (routes.py); the middleware puts the two together.
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
    """Who calls: the name of a key (two keys of one name are one caller), and the widest scope that it has."""

    name: str
    scope: Scope | None

    def require(self, scope: Scope) -> None:
        """Raises ScopeMissing."""
        if _RANKS[self.scope] < _RANKS[scope]:
            challenge = f'{REALM}, error="insufficient_scope", scope="{scope}"'
            raise ScopeMissing(
                f"this takes a key of scope {scope}, and {self.name}'s has scope {self.scope}",
                headers=[("WWW-Authenticate", challenge)],
            )


ANYONE = Caller("-", "admin")
"""Whoever calls where no keys are set. No key can have this name."""
NOBODY = Caller("-", None)
"""Who came without a good key where keys are set: fit for what needs none."""


class Auth:
    """The keys that are good here. `clock` gives seconds since the epoch."""

    def __init__(
        self, keys: Iterable[ApiKey], tries: FailedTries, log: Log, *, clock: Callable[[], float] = time.time
    ) -> None:
        self.replace(keys)
        self._tries = tries
        self._log = log
        self._clock = clock

    def replace(self, keys: Iterable[ApiKey]) -> None:
        """From here on these are the good ones, for connections that are open, too."""
        self._keys = {key.key_id: (key.sha256, key.expires_s, Caller(key.name, key.scope)) for key in keys}

    def caller_of(self, request: Request) -> Caller:
        if not self._keys:
            return ANYONE
        authorization = request.headers.get("authorization")
        if authorization is None:
            return NOBODY
        caller, is_expired = self._look_up(_token(authorization) or "")
        return NOBODY if is_expired else caller

    def refusal(self, request: Request) -> WaybillError:
        """What to tell NOBODY where a key is needed. A wrong key counts as a failed try of its address."""
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
        caller, is_expired = self._look_up(token)
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

    def _look_up(self, token: str) -> tuple[Caller, bool]:
        """(whose key it is, has it expired). A key that is nobody's takes as long as one whose secret is wrong."""
        match = KEY.fullmatch(token)
        sha256, expires_s, caller = self._keys.get(match[1] if match else "", (_NO_SHA256, None, NOBODY))
        if not hmac.compare_digest(digest(token), sha256):
            return NOBODY, False
        return caller, expires_s is not None and self._clock() >= expires_s


def _token(authorization: str) -> str | None:
    """What stands behind Bearer (RFC 6750 section 2.1); None for another scheme, which is as if nothing had come."""
    scheme, _, token = authorization.partition(" ")
    return token.strip(" ") if scheme.lower() == "bearer" else None
