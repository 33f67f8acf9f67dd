"""Secrets are shown to nobody, and a payload that comes back with masks loses none of them."""

import json
import time
import unittest
from typing import Any

from lib.errors import FieldError
from lib.jobs.masking import MASK, masked, unmasked

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


if __name__ == "__main__":
    unittest.main()
