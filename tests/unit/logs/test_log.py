"""logs/log.py: what a line of each level holds, and records of Python's logging as lines."""

import logging
import unittest
from collections.abc import Callable
from pathlib import Path

from lib.logs.log import Bound, Bridge
from lib.logs.log_lines import DEBUG, TEXT_CHARS, WARNING
from tests.unit.logs.log_case import LogCase, Unshowable


class LineTests(LogCase):
    def test_a_line_begins_with_time_level_event_and_message(self) -> None:
        self.log.info("job.enqueued", "Email job added to queue", job_id="email-1", attempt=2, duration_ms=1.5, ok=True)

        expected = (
            b'{"ts":"2023-11-14T22:13:20.250Z","level":"INFO","event":"job.enqueued","msg":"Email job added to queue",'
            b'"job_id":"email-1","attempt":2,"duration_ms":1.5,"ok":true}\n'
        )
        self.assertEqual(self.file.batches, [expected])

    def test_time_moves_by_milliseconds_seconds_and_backwards(self) -> None:
        for now_s in (1_700_000_000.0015, 1_700_000_000.999, 1_700_000_001.0, 1_699_999_999.0):
            self.now_s = now_s
            self.log.info("clock.read", "tick")

        self.assertEqual([line["ts"][17:] for line in self.file.parsed()], ["20.001Z", "20.999Z", "21.000Z", "19.000Z"])

    def test_fields_that_are_none_are_left_out(self) -> None:
        self.log.info("job.started", "Job started", job_id=None, queue="email")

        self.assertNotIn("job_id", self.only_line())

    def test_a_field_can_not_replace_a_key_of_the_line(self) -> None:
        self.log.info("job.started", "true", msg="forged", level="forged", ts="forged", event="forged")

        line = self.only_line()
        self.assertEqual([line["msg"], line["msg_"]], ["true", "forged"])
        self.assertEqual([line["level"], line["level_"]], ["INFO", "forged"])

    def test_the_message_keeps_its_letters_in_the_file(self) -> None:
        self.log.info("request.started", "Request Started → ID: é漢🚚 | GET /")

        self.assertIn("Request Started → ID: é漢🚚 | GET /".encode(), self.file.batches[0])

    def test_any_value_becomes_valid_json(self) -> None:
        loop: list[object] = []
        loop.append(loop)
        values = [
            float("nan"),
            float("-inf"),
            10**5000,
            Unshowable(),
            loop,
            {"a": [1, None]},
            b"\xff",
            {1: 2},
            Path("/x"),
        ]

        for value in values:
            self.log.info("value.logged", "any", value=value)

        shown = [line["value"] for line in self.file.parsed()]
        self.assertEqual(shown[:2], ["nan", "-inf"])
        self.assertEqual(shown[5:], [{"a": [1, None]}, "b'\\xff'", {"1": 2}, "/x"])
        self.assertEqual(shown[2:5], [f"<unprintable {kind}>" for kind in ("int", "Unshowable", "list")])

    def test_a_huge_line_is_shortened_and_keeps_both_ends(self) -> None:
        self.log.info("value.logged", "m" * 1_000_000, value="a" + "x" * 1_000_000 + "z", many=list(range(100_000)))

        line = self.only_line()
        self.assertLess(len(self.file.batches[0]), 4 * TEXT_CHARS)
        self.assertEqual((line["value"][0], line["value"][-1]), ("a", "z"))
        self.assertIn("983618 characters left out", line["value"])

    def test_a_line_below_the_level_is_not_made(self) -> None:
        log = self.new_log(level=WARNING)

        log.debug("a.b", "no")
        log.info("a.b", "no")
        log.warning("a.b", "yes")
        log.error("a.b", "yes")

        self.assertEqual([line["level"] for line in self.file.parsed()], ["WARNING", "ERROR"])

    def test_an_exception_brings_its_traceback_bounded(self) -> None:
        try:
            raise ValueError("why" * TEXT_CHARS) from KeyError("cause")
        except ValueError as exc:
            self.log.exception("job.failed", "Job failed", exc, job_id="j")

        text = self.only_line()["traceback"]
        self.assertIn("KeyError: 'cause'", text)
        self.assertTrue(text.startswith("KeyError") and text.endswith("why"))
        self.assertLess(len(text), TEXT_CHARS + 100)

    def test_an_exception_that_can_not_be_shown_is_logged_all_the_same(self) -> None:
        class Nameless(type):
            def __getattribute__(cls, name: str) -> object:
                if name in ("__name__", "__qualname__"):
                    raise SystemExit(name)
                return super().__getattribute__(name)

        class Wicked(Exception, metaclass=Nameless):
            def __str__(self) -> str:
                raise RuntimeError

        self.log.exception("job.failed", "Job failed", Wicked())

        self.assertIn("Wicked", self.only_line()["traceback"])


class BridgeTests(LogCase):
    def logger(self, context: Callable[[], Bound] | None = None) -> logging.Logger:
        logger = logging.Logger("vendor.mail", DEBUG)
        logger.addHandler(Bridge(self.log, context))
        return logger

    def test_a_foreign_record_becomes_a_line_with_logger_extra_and_context(self) -> None:
        about = self.log.bind(job_id="j-1")

        self.logger(lambda: about).warning("sent %s of %d", "é\n", 3, extra={"host": "mx", "job_id": "mine"})

        line = self.only_line()
        self.assertEqual((line["event"], line["level"], line["msg"]), ("log.message", "WARNING", "sent é\n of 3"))
        self.assertEqual((line["logger"], line["host"], line["job_id"]), ("vendor.mail", "mx", "j-1"))

    def test_foreign_levels_take_the_name_below_them(self) -> None:
        for number in (5, 25, 50, 99):
            self.logger().handle(logging.makeLogRecord({"levelno": number, "msg": "x"}))

        self.assertEqual([line["level"] for line in self.file.parsed()], ["DEBUG", "INFO", "CRITICAL", "CRITICAL"])

    def test_a_record_that_can_not_be_formatted_is_logged_as_it_is(self) -> None:
        self.logger().warning("%d jobs", "many")
        self.logger().warning(Unshowable())

        first, second = self.file.parsed()
        self.assertEqual(first["msg"], '"%d jobs" (can\'t be formatted: TypeError)')
        self.assertIn("<unprintable Unshowable>", second["msg"])

    def test_a_foreign_exception_brings_its_traceback(self) -> None:
        try:
            raise LookupError("lost")
        except LookupError:
            self.logger().exception("failed")

        self.assertIn("LookupError: lost", self.only_line()["traceback"])


if __name__ == "__main__":
    unittest.main()
