"""Secrets are shown to nobody, and a payload that comes back with masks loses none of them."""

import json
import time
import unittest
from typing import Any

from lib.errors import FieldError
from lib.jobs.masking import MASK, error_to_keep, known_secrets, masked, masked_error, shown_url, unmasked

PAYLOADS: list[Any] = [
    {"secret": "a", "to": "b"},
    {"headers": {"Authorization": "x", "accept": "y"}, "hooks": [{"api_key": "1"}, {"api-key": "2", "n": 1}]},
    {"password": None, "token": 5, "tokens": ["kept", {"passwd": "p"}], "a/b~c": {"secret": "s"}},
    {"secret": {"value": "v", "deep": [{"token": 1.5}]}, "has_password": True, "token": [], "cookie": {}},
    {},
    [1, [2, {"token": "t"}]],
]


class Masks(unittest.TestCase):
    def test_what_is_shown_and_comes_back_is_what_was_there(self) -> None:
        for payload in PAYLOADS:
            errors: list[FieldError] = []

            self.assertEqual(payload, unmasked(masked(payload), payload, "", errors))
            self.assertEqual([], errors)

    def test_whatever_is_under_a_secret_name_is_masked(self) -> None:
        self.assertEqual({"secret": MASK, "to": "b"}, masked(PAYLOADS[0]))
        for secret in ("", "s", 5, 1.5, 0, [], ["a"], {}, {"value": "v"}):
            self.assertEqual({"my_secret": MASK, "text": "secret"}, masked({"my_secret": secret, "text": "secret"}))
        says_which = {"token": None, "has_password": True, "is_secret": False}
        self.assertEqual(says_which, masked(says_which))

    def test_the_names_that_tell_of_a_secret(self) -> None:
        for name in [
            "X-API-Key",
            "apiKey",
            "api_key",
            "api-key",
            "APIKEY",
            "accessKeyId",
            "private-key",
            "privateKey",
            "passwd",
            "passphrase",
            "tokens",
            "Authorization",
            "Proxy-Authorization",
            "Cookie",
            "set-cookie",
            "credentials",
            "client_secret",
            "refresh_token",
        ]:
            self.assertEqual({name: MASK}, masked({name: "x"}))
        self.assertEqual({"max_tokens": 5, "password": MASK}, masked({"max_tokens": 5, "password": 5}))
        for name in ("key", "keys", "public_key", "author", "to", "subject", "pass", "monkey"):
            self.assertEqual({name: "x"}, masked({name: "x"}))

    def test_the_values_of_a_urls_query_are_masked_and_its_names_are_not(self) -> None:
        for url, shown in (
            ("https://a.example/b", "https://a.example/b"),
            ("https://a.example/b?", "https://a.example/b?"),
            ("https://a.example/b?t=1=2&u=&v", f"https://a.example/b?t={MASK}&u={MASK}&{MASK}"),
            ("https://a.example/?t=x?y", f"https://a.example/?t={MASK}"),
        ):
            self.assertEqual(shown, shown_url(url))

    def test_where_no_secret_is_named_nothing_is_copied(self) -> None:
        payload = {"to": "a@b.c", "deep": [{"text": "password"}]}

        self.assertIs(masked(payload), payload)

    def test_the_worst_of_a_mebibyte_does_not_hold_the_loop_for_long(self) -> None:
        for text in ("[" + "[]," * 349_000 + "0]", "[" + ("[" * 80 + "]" * 80 + ",") * 6_500 + "0]"):
            payload = {"x": json.loads(text)}

            began_s = time.process_time()
            masked(payload)

            # Built anew at every level it took twice and six times as long as now.
            self.assertLess(time.process_time() - began_s, 0.5)

    def test_a_new_secret_replaces_the_old_one(self) -> None:
        self.assertEqual({"secret": "new"}, unmasked({"secret": "new"}, {"secret": "old"}, "", []))

    def test_a_mask_where_nothing_is_to_be_kept_is_a_fault_with_its_place(self) -> None:
        for value, stored, pointer in (
            ({"secret": MASK}, {}, "/payload/secret"),
            ({"secret": MASK}, {"secret": None}, "/payload/secret"),
            ({"secret": MASK}, {"secret": True}, "/payload/secret"),
            ({"a/b": [{}, {"token": MASK}]}, {"a/b": [{"token": "t"}]}, "/payload/a~1b/1/token"),
            ({"x": {"token": MASK}}, {"x": "text"}, "/payload/x/token"),
        ):
            errors: list[FieldError] = []

            unmasked(value, stored, "/payload", errors)

            self.assertEqual([pointer], [error.pointer for error in errors])

    def test_the_mask_under_a_name_that_tells_of_no_secret_is_a_text(self) -> None:
        self.assertEqual({"text": MASK}, unmasked({"text": MASK}, {}, "", []))


class Errors(unittest.TestCase):
    """What an exception says of a secret."""

    PAYLOAD: dict[str, Any] = {  # noqa: RUF012
        "password": "hunter2!",
        "auth": {"token": 'a"b\\c', "api_key": 123456},
        "cookie": ["one=crumb", None, True],
        "max_tokens": 4096,
        "to": "someone@example.com",
        "pin_secret": "abc",
    }

    def shown(self, message: str, **rest: Any) -> dict[str, Any]:
        error = {"type": "ValueError", "message": message, **rest}
        return masked_error(error, known_secrets(self.PAYLOAD)) or {}

    def test_secrets_of_the_payload_are_masked_wherever_they_stand_and_however_they_are_written(self) -> None:
        for secret in ("hunter2!", 'a"b\\c', 'a\\"b\\\\c', repr('a"b\\c'), "123456", "one=crumb"):
            cause = {"type": "X", "message": secret, "body": f"sent: {secret}"}
            shown = self.shown(f"it is {secret}.", traceback=f"f({secret})", cause=cause)

            for text in (shown["message"], shown["traceback"], shown["cause"]["message"], shown["cause"]["body"]):
                self.assertIn(MASK, text)
                self.assertNotIn(secret, text)

    def test_what_is_kept_lacks_the_secrets_alone(self) -> None:
        error: dict[str, Any] = {
            "type": "E",
            "message": "k-4711 of TOKEN_COMMAND: run-me",
            "cause": {"type": "C", "body": "k-4711"},
        }

        kept = error_to_keep(error, ["k-4711"])

        self.assertEqual(f"{MASK} of TOKEN_COMMAND: run-me", kept["message"])
        self.assertEqual({"type": "C", "body": MASK}, kept["cause"])
        self.assertEqual("k-4711", error["cause"]["body"])
        self.assertEqual(MASK, error_to_keep(error, None)["message"])

    def test_what_is_no_secret_stays(self) -> None:
        for text in (
            "someone@example.com has 4096 abc",
            "max_tokens=5, has_token: True, password=None",
            "the token is wrong; a secret: none",
            "tokens == 5",
            "",
        ):
            self.assertEqual(text.replace("none", MASK), self.shown(text)["message"])

    def test_what_stands_behind_a_name_that_tells_of_a_secret_is_masked(self) -> None:
        for text, expected in (
            ("{'password': 'x y', 'to': 'me'}", "{'password': '********', 'to': 'me'}"),
            ('{"API-Key":"x\\"y", "n": 1}', '{"API-Key":"********", "n": 1}'),
            ("Authorization: Bearer abc.def", "Authorization: ********"),
            ("login(user, password=abc)", "login(user, password=********)"),
            ("?token=abc&n=1", "?token=********&n=1"),
            ("passwd='never clos", "passwd='********"),
            ("{password => abc}", "{password => ********}"),
            ("client_secret = b'x'", "client_secret = '********'"),
        ):
            self.assertEqual(expected, self.shown(text)["message"])

    def test_a_line_of_code_is_shown_but_for_what_it_quotes(self) -> None:
        code = (
            "token = find(password=settings.password)\n  self.login(user, password='abc')\n  for token in tokens:\n  x"
        )

        self.assertEqual(code.replace("abc", MASK), self.shown("", traceback=code)["traceback"])

    def test_more_secrets_than_can_be_looked_for_hide_the_text(self) -> None:
        payload = {"tokens": [f"secret-{number}" for number in range(1000)]}

        shown = masked_error({"type": "X", "message": "secret-7", "traceback": "x"}, known_secrets(payload))

        self.assertEqual({"type": "X", "message": MASK, "traceback": MASK}, shown)

    def test_no_text_takes_long(self) -> None:
        began_s = time.monotonic()
        for text in ("token" * 1600, "password='" + "\\'" * 4000, "secret" + " " * 8000, "token=" * 1300, "a" * 8000):
            self.shown(text, traceback=text)

        self.assertLess(time.monotonic() - began_s, 1)


if __name__ == "__main__":
    unittest.main()
