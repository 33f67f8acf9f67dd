"""API keys as values: what API_KEYS may hold, how long a key is good, how one is made."""

import random
import time
import unittest
from datetime import UTC, datetime

from lib.settings import api_keys
from lib.settings.api_keys import KEY, ApiKey

ID, SHA256 = "abcdefghijKL", "0f" * 32


def moment(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[arg-type, misc]


class Parse(unittest.TestCase):
    def fault(self, text: str) -> str:
        with self.assertRaises(ValueError) as refused:
            api_keys.parse(text)
        return str(refused.exception)

    def test_entries_are_parted_by_commas_and_may_have_an_end(self) -> None:
        keys = api_keys.parse(f" ops:admin:{ID}:{SHA256} ,, shop.eu-1:write:{ID[::-1]}:{SHA256}:2027-01-31T12:00:00Z,")

        self.assertEqual(
            (
                ApiKey("ops", "admin", ID, bytes.fromhex(SHA256)),
                ApiKey("shop.eu-1", "write", ID[::-1], bytes.fromhex(SHA256), "2027-01-31T12:00:00Z"),
            ),
            keys,
        )

    def test_nothing_is_no_key(self) -> None:
        self.assertEqual((), api_keys.parse(""))

    def test_two_keys_may_have_one_name_and_never_one_id(self) -> None:
        first, second = f"ops:admin:{ID}:{SHA256}", f"ops:read:{ID[::-1]}:{SHA256}"

        self.assertEqual(["ops", "ops"], [key.name for key in api_keys.parse(f"{first},{second}")])
        self.assertIn(f"{ID} stands there twice", self.fault(f"{first},{second},{first}"))

    def test_each_part_is_checked_and_the_fault_says_which_entry(self) -> None:
        for entry in (
            "ops",
            f":admin:{ID}:{SHA256}",
            f"-:admin:{ID}:{SHA256}",
            f"a b:admin:{ID}:{SHA256}",
            f"{'n' * 65}:admin:{ID}:{SHA256}",
            f"ops:root:{ID}:{SHA256}",
            f"ops:Admin:{ID}:{SHA256}",
            f"ops:admin:{ID}x:{SHA256}",
            f"ops:admin:{ID[:-1]}-:{SHA256}",
            f"ops:admin:{ID}:{SHA256.upper()}",
            f"ops:admin:{ID}:{SHA256[1:]}",
            f"ops:admin:{ID}:{SHA256}:",
            f"ops:admin:{ID}:{SHA256}:tomorrow",
            f"ops:admin:{ID}:{SHA256}:2027-02-30",
            f"ops:admin:{ID}:{SHA256}:2027-01-31T12:00:00",
            f"ops:admin:{ID}:{SHA256}:2027-01-31:x",
            f"ops:admin:{ID}:{SHA256}:9999-12-31",
        ):
            with self.subTest(entry):
                self.assertRegex(self.fault(f"ok:read:{ID[::-1]}:{SHA256},{entry}"), "^entry 2 ")

    def test_a_key_that_was_put_there_itself_is_not_said_again(self) -> None:
        key, _ = api_keys.new_key("ops", "read", "", random.Random(1).choice)

        for entry in (key, f"ops:read:{key}", f"API_KEYS={key}"):
            refusal = self.fault(entry)

            self.assertIn("holds a key itself", refusal)
            self.assertNotIn(key[4:], refusal)

    def test_no_digest_is_in_a_repr(self) -> None:
        (key,) = api_keys.parse(f"ops:admin:{ID}:{SHA256}")

        self.assertNotIn("\\x0f", repr(key))


class Expiry(unittest.TestCase):
    def test_a_day_counts_to_its_end_and_a_moment_to_itself(self) -> None:
        for text, until_s in (
            ("2027-01-31", moment(2027, 2, 1)),
            ("2028-02-29", moment(2028, 3, 1)),
            ("2027-01-31T12:00:00Z", moment(2027, 1, 31, 12)),
            ("2027-01-31T12:00:00+02:00", moment(2027, 1, 31, 10)),
        ):
            self.assertEqual(until_s, api_keys.expiry_s(text), text)


class Ageing(unittest.TestCase):
    def test_a_key_that_ends_is_reported_of_in_time_unless_another_of_its_name_lasts(self) -> None:
        now_s = moment(2027, 1, 20)
        entries = (
            f"gone:read:{'a' * 12}:{SHA256}:2027-01-10",
            f"soon:read:{'b' * 12}:{SHA256}:2027-01-31",
            f"later:read:{'c' * 12}:{SHA256}:2027-03-31",
            f"never:read:{'d' * 12}:{SHA256}",
            f"rotated:read:{'e' * 12}:{SHA256}:2027-01-31",
            f"rotated:read:{'f' * 12}:{SHA256}:2027-12-31",
        )

        refusal = api_keys.ageing(api_keys.parse(",".join(entries)), now_s)

        self.assertEqual(2, len(refusal))
        self.assertIn("of gone has expired: 2027-01-10", refusal[0])
        self.assertIn("of soon expires: 2027-01-31", refusal[1])


class NewKey(unittest.TestCase):
    def test_its_entry_is_what_api_keys_takes_and_names_its_digest(self) -> None:
        key, entry = api_keys.new_key("ops", "write", "2027-01-31", random.Random(1).choice)

        (parsed,) = api_keys.parse(entry)
        match = KEY.fullmatch(key)

        assert match is not None
        self.assertEqual(
            ("ops", "write", match[1], "2027-01-31"), (parsed.name, parsed.scope, parsed.key_id, parsed.expires)
        )
        self.assertEqual(api_keys.digest(key), parsed.sha256)
        self.assertNotIn(key[-43:], entry)

    def test_its_secret_holds_256_bits(self) -> None:
        self.assertGreaterEqual(len(set(api_keys.LETTERS)) ** api_keys.SECRET_CHARS, 2**256)

    def test_what_could_not_stand_in_api_keys_is_refused(self) -> None:
        for name, expires in (("a:b", ""), ("a,b", ""), ("", ""), ("ops", "soon")):
            with self.assertRaises(ValueError):
                api_keys.new_key(name, "read", expires, random.Random(1).choice)


class WithoutKeys(unittest.TestCase):
    def test_no_secret_is_left_however_it_came(self) -> None:
        key, _ = api_keys.new_key("ops", "write", "", random.Random(1).choice)
        every = "".join(f"%{ord(char):02x}" for char in key)
        twice = (key.replace("_", "%255F"), key.replace("_", "%25255f"))
        whole = (key, f"%77{key[1:]}", key.replace("_", "%5F"), every, *twice, key.replace("_", "__"), key.upper())
        for form in (*whole, key[:-1], key[:-30], key + "x", key + "%41", key + key, key[:-1] + key, key + "_" + every):
            with self.subTest(form):
                shown = api_keys.without_keys(f"/api/jobs/{form}/logs")

                self.assertRegex(shown, r"\A/api/jobs/wb_[^_/]+_\.\.\./logs\Z")

    def test_all_else_is_left_as_it_is(self) -> None:
        for text in ("/api/jobs", "/wb_", "/wb_abc_def", "/%77%62", "/web_123456789012_x", "/wb_123456789012"):
            self.assertEqual(text, api_keys.without_keys(text))

    def test_8_kib_of_anything_take_no_time(self) -> None:
        blanks = ("wb" + "_" * 8000, "wb" + "%255F" * 1600, "wb%" + "25" * 4000, "wb%255f" * 1100)
        for text in (
            *blanks,
            "wb_" * 2700,
            "%77%62%5f" * 900,
            "wb_" + "%5f" * 2700,
            "wb_" + "a" * 8000,
            "w%62_" * 1600,
            "wb%25" * 1600,
        ):
            began_s = time.process_time()
            api_keys.without_keys(text)

            self.assertLess(time.process_time() - began_s, 0.05)


if __name__ == "__main__":
    unittest.main()
