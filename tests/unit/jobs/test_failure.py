"""Exceptions as a job keeps them: where it went wrong and why, bounded, whatever the exception is."""

import asyncio
import json
import sys
import unittest
from pathlib import Path
from types import CodeType
from typing import Any

from lib.jobs import failure as room
from lib.jobs.failure import (
    CAUSES_KEPT,
    DETAIL_CHARS,
    ERROR_BYTES,
    TRACEBACK_CHARS,
    Detailed,
    briefly,
    failure,
    gave_up,
)
from lib.json_text import to_json
from tests.jobs_that_end_oddly import ODDITIES, Masked

HERE = "tests/unit/jobs/test_failure.py"


def caught(function: Any, *arguments: Any) -> BaseException:
    try:
        function(*arguments)
    except BaseException as fault:  # noqa: BLE001
        return fault
    raise AssertionError("it raised nothing")


def divide() -> None:
    _ = 1 / 0


def explain() -> None:
    try:
        divide()
    except ZeroDivisionError as fault:
        raise ValueError("it can't be divided") from fault


def stumble() -> None:
    try:
        divide()
    except ZeroDivisionError:
        sys.modules["on the way"]


def fall(depth: int) -> None:
    if depth:
        fall(depth - 1)
    divide()


class Traceback(unittest.TestCase):
    def test_it_begins_with_the_handlers_frame_and_ends_where_it_was_raised(self) -> None:
        lines = failure(caught(explain))["traceback"].split("\n")

        self.assertRegex(lines[0], rf'\AFile "{HERE}", line \d+, in caught\Z')
        self.assertEqual("  function(*arguments)", lines[1])
        self.assertRegex(lines[-2], r"in explain\Z")
        self.assertEqual('  raise ValueError("it can\'t be divided") from fault', lines[-1])

    def test_no_path_of_this_host_is_in_it(self) -> None:
        folder = str(Path(__file__).resolve().parents[3])
        for fault in (
            caught(json.loads, "{"),
            caught(asyncio.run, None),
            caught(divide),
            caught(exec, compile("1/0", "/somewhere/else/odd.py", "exec")),
            caught(exec, compile("1/0", "<string>", "exec")),
        ):
            text = to_json(failure(fault))
            self.assertNotIn(folder, text)
            self.assertNotIn(sys.prefix, text)
            self.assertNotRegex(text, r'File \\"/')

    def test_a_files_name_that_is_no_source_is_not_opened(self) -> None:
        fault = caught(exec, compile("1/0", "/dev/zero", "exec"))

        self.assertIn('File "zero", line 1', failure(fault)["traceback"])

    def test_of_very_many_frames_the_first_and_the_last_stay(self) -> None:
        for depth in (100, 900):
            text = failure(caught(fall, depth))["traceback"]

            self.assertLessEqual(len(text), TRACEBACK_CHARS)
            self.assertIn("frames left out", text)
            self.assertRegex(text.split("\n")[0], r"in caught\Z")
            self.assertRegex(text.split("\n")[-2], r"in divide\Z")

    def test_frames_of_libraries_go_first(self) -> None:
        def through_json(times: int) -> Any:
            return json.dumps(object(), default=lambda _: through_json(times - 1)) if times else divide()

        text = failure(caught(through_json, 8))["traceback"]

        self.assertIn("frames left out", text)
        self.assertGreater(text.count(HERE), text.count('File "json/'))

    def test_twenty_frames_of_usual_code_all_stay(self) -> None:
        text = failure(caught(fall, 17))["traceback"]

        self.assertEqual((20, 0), (text.count(f'File "{HERE}'), text.count("left out")))

    def test_a_long_message_leaves_room_for_it(self) -> None:
        def raises() -> None:
            raise ValueError("x" * 10_000)

        error = failure(caught(raises))

        self.assertIn("<locals>.raises\n", error["traceback"])
        self.assertEqual(8 << 10, len(error["message"]))

    def test_where_it_is_not_to_be_kept_the_causes_have_none_either(self) -> None:
        fault = caught(explain)

        for error in (failure(fault, keeps_traceback=False), gave_up(fault, keeps_traceback=False)):
            self.assertNotIn("traceback", str(error))
            self.assertIn("cause", error)

    def test_where_no_code_of_a_jobs_ran_there_is_none(self) -> None:
        self.assertEqual({"type": "ValueError", "message": "x"}, failure(ValueError("x")))
        self.assertEqual({"type": "ZeroDivisionError", "message": "division by zero"}, briefly(caught(divide)))

    def test_details_stand_beside_the_message_and_are_bounded(self) -> None:
        class Refused(Detailed): ...

        error = failure(Refused("503 from a.example", status=503, body="\udc80" + "\x01" * 5000))

        self.assertEqual(("Refused", "503 from a.example", 503), (error["type"], error["message"], error["status"]))
        self.assertEqual("?" + "\x01" * (DETAIL_CHARS - 1), error["body"])
        self.assertLess(len(to_json(error)), ERROR_BYTES)
        large = failure(Refused("\x01" * 5000, body="\x01" * 5000))
        self.assertLessEqual(len(to_json(large)), ERROR_BYTES)
        self.assertEqual("\x01" * DETAIL_CHARS, large["body"])

    def test_waybills_own_frames_around_a_handler_are_left_out(self) -> None:
        code = compile(
            "def run(f):\n f()", str(Path(room.__file__).parents[1] / "work" / "runner" / "lanes.py"), "exec"
        )
        names: dict[str, Any] = {}
        exec(code, names)
        fault = caught(names["run"], divide)
        fault.__traceback__ = fault.__traceback__.tb_next if fault.__traceback__ else None

        self.assertRegex(failure(fault)["traceback"].split("\n")[0], r"in divide\Z")


class Causes(unittest.TestCase):
    def test_what_it_was_raised_from_is_reported_with_where_that_was(self) -> None:
        error = failure(caught(explain))

        cause = error["cause"]
        self.assertEqual(("ValueError", "ZeroDivisionError"), (error["type"], cause["type"]))
        self.assertRegex(cause["traceback"].split("\n")[0], r"in explain\Z")
        self.assertRegex(cause["traceback"].split("\n")[-2], r"in divide\Z")
        self.assertNotIn("cause", cause)

    def test_what_was_being_handled_is_reported_unless_the_handler_hides_it(self) -> None:
        self.assertEqual("ZeroDivisionError", self.chain(caught(stumble))[-1])
        hidden = ValueError("x")
        hidden.__context__, hidden.__suppress_context__ = KeyError("y"), True
        self.assertEqual(["ValueError"], self.chain(hidden))

    def test_a_group_is_reported_with_the_first_of_its_members(self) -> None:
        group = ExceptionGroup("two", [KeyError("a"), ValueError("b")])

        self.assertEqual(["ExceptionGroup", "KeyError"], self.chain(group))

    def test_rings_end_and_lines_are_bounded(self) -> None:
        self.assertEqual(["ValueError"] * 2, self.chain(ODDITIES["ring"]()))
        self.assertEqual(1 + CAUSES_KEPT, len(self.chain(ODDITIES["line"]())))
        alone = ValueError("x")
        alone.__cause__ = alone
        self.assertEqual(["ValueError"], self.chain(alone))

    def test_a_cause_that_is_as_odd_as_can_be_is_reported(self) -> None:
        fault = ValueError("x")
        fault.__cause__ = Masked()

        self.assertEqual(["ValueError", "Masked"], self.chain(fault))

    def chain(self, fault: BaseException) -> list[str]:
        """The classes, the error's own first."""
        error: Any = failure(fault)
        found = []
        while error:
            found.append(error["type"])
            error = error.get("cause")
        return found


class Bounds(unittest.TestCase):
    def test_none_takes_more_bytes_than_the_bound_however_it_is_written(self) -> None:
        for letter in ("x", "é", "三", "😀", "\x01", "\udc80", '"'):
            for times in (100, 10_000):
                fault = caught(explain)
                fault.args = (letter * times,)
                fault.__cause__ = ValueError(letter * times)

                size_bytes = len(to_json(failure(fault)).encode())

                self.assertLessEqual(size_bytes, ERROR_BYTES, letter)
        self.assertGreater(len(failure(ValueError("x" * 10_000))["message"]), 8000)

    def test_a_chain_that_fails_costs_the_chain(self) -> None:
        class Wicked(str):
            def startswith(self, *_: Any) -> bool:
                raise SystemExit

        fault = caught(exec, compile("1/0", "x.py", "exec"))
        code: CodeType = compile("1/0", "x.py", "exec").replace(co_filename=Wicked("/a/b.py"))
        fault.__cause__ = caught(exec, code)

        self.assertEqual("ZeroDivisionError", failure(fault)["type"])


if __name__ == "__main__":
    unittest.main()
