"""The Authorization header against API_KEYS: whose key it is, and the error for a missing, wrong or expired key."""

import io
import random
import tempfile
import unittest
from pathlib import Path

from lib.errors import ApiKeyInvalid, ApiKeyMissing, ScopeMissing, TooManyTries, WaybillError
from lib.http1.message import Request
from lib.logs.log import open_logs
from lib.settings import api_keys
from lib.web.auth import ANYONE, NOBODY, Auth, Caller
from lib.web.failed_tries import TRIES, FailedTries

RNG = random.Random(4)
OPS, OPS_ENTRY = api_keys.new_key("ops", "admin", "", RNG.choice)
OPS_NEXT, OPS_NEXT_ENTRY = api_keys.new_key("ops", "write", "", RNG.choice)
TEMPORARY, TEMPORARY_ENTRY = api_keys.new_key("guest", "read", "2027-01-31T00:00:00Z", RNG.choice)
EXPIRES_S = api_keys.expiry_s("2027-01-31T00:00:00Z")


def request(authorization: str | None = None) -> Request:
    fields = {} if authorization is None else {"authorization": authorization}
    return Request("GET", "/", "/", "", "1.1", fields, "h", True, 0, False, False, 1000, peer="192.0.2.1")


class RedisKeys(unittest.TestCase):
    def setUp(self) -> None:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path = Path(folder) / "app.log"
        self.console = io.StringIO()
        self.log = open_logs(
            self.path, level="DEBUG", console_format="text", max_bytes=0, backups=1, console=self.console
        )
        self.addCleanup(self.log.close)
        self.wall_s = EXPIRES_S - 1
        self.auth = self.made(",".join((OPS_ENTRY, OPS_NEXT_ENTRY, TEMPORARY_ENTRY)))

    def made(self, entries: str) -> Auth:
        tries = FailedTries(clock=lambda: 0.0)
        return Auth(api_keys.parse(entries), tries, self.log, clock=lambda: self.wall_s)

    def refused(self, authorization: str | None) -> WaybillError:
        self.assertIs(NOBODY, self.auth.caller_of(request(authorization)))
        return self.auth.key_error(request(authorization))

    def test_without_keys_anyone_may_do_anything(self) -> None:
        for authorization in (None, "Bearer x", f"Bearer {OPS}"):
            self.assertIs(ANYONE, self.made("").caller_of(request(authorization)))

    def test_a_key_tells_who_calls_and_two_keys_may_tell_the_same(self) -> None:
        for authorization, caller in (
            (f"Bearer {OPS}", Caller("ops", "admin")),
            (f"bearer {OPS_NEXT}", Caller("ops", "write")),
            (f"BEARER   {TEMPORARY}", Caller("guest", "read", EXPIRES_S)),
        ):
            self.assertEqual(caller, self.auth.caller_of(request(authorization)))

    def test_without_a_bearer_key_it_is_said_that_one_is_needed(self) -> None:
        for authorization in (None, "", "Basic b3BzOm9wcw==", OPS, f"Token {OPS}", f"Bearer\t{OPS}", f"Bearer{OPS}"):
            with self.subTest(authorization):
                error = self.refused(authorization)

                self.assertIsInstance(error, ApiKeyMissing)
                self.assertEqual((("WWW-Authenticate", 'Bearer realm="waybill"'),), error.headers)

    def test_whatever_is_not_exactly_a_key_is_invalid(self) -> None:
        for number, token in enumerate(
            (
                "",
                OPS[:-1],
                OPS + "x",
                OPS.swapcase(),
                OPS[:-1] + ("a" if OPS[-1] != "a" else "b"),
                OPS[:16] + OPS_NEXT[16:],
                OPS.replace("wb_", "WB_"),
                f"{OPS} {OPS}",
                f"{OPS}, Bearer {OPS}",
                f'"{OPS}"',
                f"{OPS}\xa0",
                "wb_\xe9" + OPS[4:],
                "wb__",
                "x" * 8000,
            )
        ):
            if number % TRIES == 0:
                self.auth = self.made(OPS_ENTRY)
            with self.subTest(token):
                error = self.refused(f"Bearer {token}")

                self.assertIsInstance(error, ApiKeyInvalid)
                self.assertIn('Bearer realm="waybill", error="invalid_token", error_description="', error.headers[0][1])

    def test_an_expired_key_is_told_so_and_no_stranger_is(self) -> None:
        self.wall_s = EXPIRES_S

        expired, wrong = self.refused(f"Bearer {TEMPORARY}"), self.refused(f"Bearer {TEMPORARY[:-1]}")

        self.assertEqual(("the key has expired", "the key is not one of API_KEYS"), (expired.detail, wrong.detail))

    def test_after_too_many_wrong_keys_a_wrong_one_is_429_and_a_good_one_still_good(self) -> None:
        for _ in range(TRIES):
            self.assertIsInstance(self.refused("Bearer x"), ApiKeyInvalid)

        error = self.refused("Bearer x")

        self.assertIsInstance(error, TooManyTries)
        self.assertEqual((("Retry-After", "6"),), error.headers)
        self.assertEqual(Caller("ops", "admin"), self.auth.caller_of(request(f"Bearer {OPS}")))
        self.assertIsInstance(self.refused(None), ApiKeyMissing)

    def test_a_scope_includes_those_before_it(self) -> None:
        scopes = api_keys.SCOPES
        for rank, has in enumerate(scopes):
            for needed in scopes[: rank + 1]:
                Caller("x", has).require(needed)
            for needed in scopes[rank + 1 :]:
                with self.assertRaises(ScopeMissing) as refused:
                    Caller("x", has).require(needed)

                self.assertEqual(
                    f'Bearer realm="waybill", error="insufficient_scope", scope="{needed}"',
                    refused.exception.headers[0][1],
                )
        for needed in scopes:
            ANYONE.require(needed)
            with self.assertRaises(ScopeMissing):
                NOBODY.require(needed)

    def test_no_key_is_logged_or_told(self) -> None:
        self.wall_s = EXPIRES_S
        nearly = OPS[:-1] + "\xe9"
        said = [str(vars(self.refused(f"Bearer {token}"))) for token in (TEMPORARY, OPS[:-1], nearly)]
        self.log.flush()

        logged = self.path.read_text(encoding="utf-8") + self.console.getvalue()

        self.assertIn('"caller":"guest"', logged)
        for part in (OPS[3:15], OPS[16:-1], TEMPORARY[3:15], TEMPORARY[16:]):
            self.assertNotIn(part, logged + "".join(said) + repr(request(f"Bearer {OPS}")))


if __name__ == "__main__":
    unittest.main()
