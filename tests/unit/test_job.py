"""A spec as text: written once, read back the same, and refused when it is not one."""

import json
import re
import unittest

from lib.jobs.backoff import Backoff
from lib.jobs.job import JobSpec, SpecError, SpecTooNew
from lib.tracing import Trace

TRACE = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "01")
PAYLOADS: tuple[dict[str, object], ...] = (
    {},
    {"to": "a@b.example", "n": 10**30, "f": 0.1, "x": [[], {}, None, True]},
    {"text": 'quote " backslash \\ slash / newline \n nul \x00 separators \x1e\x1f ünï 三 😀'},
    {"a/b~c": {"": {"deep": [1.5e300, -0.0]}}},
)


def spec(payload: dict[str, object], **fields: object) -> JobSpec:
    values: dict[str, object] = {"max_attempts": 5, "timeout_s": 60.0, "backoff": Backoff(2.0, 3600.0), **fields}
    return JobSpec("email", payload, "req.1", TRACE, **values)  # type: ignore[arg-type]


class Spec(unittest.TestCase):
    def test_what_is_written_is_read_back(self) -> None:
        for payload in PAYLOADS:
            for made in (spec(payload), spec(payload, priority="high", timeout_s=0.25, backoff=Backoff(0.5, 1e7))):
                self.assertEqual(made, JobSpec.from_text(made.to_text()))
                self.assertEqual(made, JobSpec.from_text(made.to_text().encode()))

    def test_it_is_json_and_holds_no_separator_byte(self) -> None:
        for payload in PAYLOADS:
            text = spec(payload).to_text()
            self.assertEqual(payload, json.loads(text)["payload"])
            self.assertFalse(set(text) & {"\x1c", "\x1d", "\x1e", "\x1f", "\n"})

    def test_what_json_has_no_word_for_is_refused_when_it_is_written(self) -> None:
        for value in (float("nan"), float("inf"), object(), b"bytes"):
            with self.assertRaises((ValueError, TypeError)):
                spec({"x": value}).to_text()

    def test_a_later_version_is_told_from_what_can_not_be_read(self) -> None:
        text = spec({}).to_text()
        with self.assertRaises(SpecTooNew):
            JobSpec.from_text(text.replace('{"v":1', '{"v":2'))

        for bad in (
            "",
            "null",
            "[]",
            "{}",
            "1",
            '"v"',
            "{",
            text[:-5],
            text.replace('"trace"', '"t"'),
            b"\xff",
            "[" * 10**5,
            text.replace("[2,3600]", "[2]"),
            text.replace("[2,3600]", "7"),
        ):
            with self.subTest(bad[:40]), self.assertRaises(SpecError) as refused:
                JobSpec.from_text(bad)
            self.assertNotIsInstance(refused.exception, SpecTooNew)

    def test_numbers_that_no_attempt_could_be_counted_or_timed_by_are_refused(self) -> None:
        text = spec({}).to_text()
        for name in ("max_attempts", "timeout_s"):
            for value in ('"3"', "null", "[]", "0", "-1", "NaN"):
                with self.subTest(name=name, value=value), self.assertRaises(SpecError):
                    JobSpec.from_text(re.sub(f'"{name}":[0-9.]+', f'"{name}":{value}', text))
        for value in ("1e400", "1" + "0" * 400):
            with self.subTest(value), self.assertRaises(SpecError):
                JobSpec.from_text(re.sub('"timeout_s":[0-9.]+', f'"timeout_s":{value}', text))
        for pair in ('["a","b"]', "[null,1]", "[1,NaN]", "[-1,1]", f"[1,1{'0' * 400}]", '{"a":1,"b":2}'):
            with self.subTest(pair), self.assertRaises(SpecError):
                JobSpec.from_text(text.replace("[2,3600]", pair))


if __name__ == "__main__":
    unittest.main()
