"""logs/log.py without a file: what a line holds, what can't get into one, when it is handed over, what is counted."""

import asyncio
import io
import json
import logging
import os
import threading
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lib.logs.console import Console
from lib.logs.line_buffer import BATCH_LINES
from lib.logs.log import Bound, Bridge, Log, open_logs
from lib.logs.log_file import LogFile
from lib.logs.log_lines import DEBUG, INFO, TEXT_CHARS, WARNING, printable, quoted
from lib.logs.log_output import COMPLAINT_PAUSE_S

# Line feed, escape sequence, DEL, a C1 control (CSI), line separators, right-to-left override, half a surrogate pair.
HAZARDS = "\n\r\x00\x1b[31m\x7f\x85\x9b\u2028\u2029\u202e\u2066\ud800"


class FakeFile(LogFile):
    """Keeps the batches; takes only `room_lines` more lines, if set."""

    def __init__(self) -> None:
        super().__init__(Path("never-opened.log"), max_bytes=0, backups=0)
        self.batches: list[bytes] = []
        self.room_lines: int | None = None
        self.trouble = OSError(28, "No space left on device")

    def append(self, data: bytes) -> int:
        self.fault = None
        lines = data.splitlines(keepends=True)
        taken = b"".join(lines if self.room_lines is None else lines[: self.room_lines])
        if len(taken) < len(data):
            self.fault = self.trouble
        if self.room_lines is not None:
            self.room_lines = max(0, self.room_lines - len(lines))
        if taken:
            self.batches.append(taken)
        return len(taken)

    def parsed(self) -> list[dict[str, Any]]:
        return [json.loads(line) for batch in self.batches for line in batch.split(b"\n")[:-1]]


class Unshowable:
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


class LogCase(unittest.TestCase):
    def setUp(self) -> None:
        self.file = FakeFile()
        self.screen = io.StringIO()
        self.now_s, self.monotonic_s = 1_700_000_000.25, 0.0
        self.log = self.new_log()

    def new_log(self, level: int = INFO, is_text: bool = True) -> Log:
        return Log(
            self.file,
            level=level,
            console=Console(self.screen),
            is_text=is_text,
            clock=lambda: self.now_s,
            monotonic=lambda: self.monotonic_s,
        )

    def only_line(self) -> dict[str, Any]:
        (line,) = self.file.parsed()
        return line


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


class HazardTests(LogCase):
    def test_hazards_in_any_place_are_escaped_in_the_file_and_come_back_whole(self) -> None:
        self.log.info(f"event{HAZARDS}", f"msg é{HAZARDS}", **{f"name{HAZARDS}": f"value{HAZARDS}", "all": [HAZARDS]})

        text = self.file.batches[0].decode()
        line = self.only_line()
        self.assertTrue(text[:-1].isprintable())
        self.assertEqual((line["event"], line["msg"]), (f"event{HAZARDS}", f"msg é{HAZARDS}"))
        self.assertEqual((line[f"name{HAZARDS}"], line["all"]), (f"value{HAZARDS}", [HAZARDS]))

    def test_hazards_are_shown_on_the_console_as_text_on_one_line(self) -> None:
        self.log.info("a.b", f"msg {HAZARDS}", request_id=f"id{HAZARDS}")

        shown = self.screen.getvalue()
        self.assertTrue(shown[:-1].isprintable())
        self.assertIn(r"msg \n\r\x00\x1b[31m\x7f\x85\x9b\u2028\u2029\u202e\u2066\ud800", shown)

    def test_rows_of_a_traceback_stand_behind_a_bar(self) -> None:
        forged = "x\n2023-11-14T22:13:20.250Z INFO forged\x85\x1b[2Jforged"

        self.log.exception("job.failed", "Job failed", ValueError(forged))

        rows = self.screen.getvalue().splitlines()
        self.assertGreater(len(rows), 2)
        self.assertTrue(all(row.startswith("  | ") and row.isprintable() for row in rows[1:]))

    def test_every_character_is_printable_once_quoted_and_reads_back(self) -> None:
        for start in range(0, 0x110000, 0x1000):
            text = "".join(map(chr, range(start, start + 0x1000, 1 if start < 0x3000 else 16)))

            self.assertTrue(quoted(text).isprintable() and printable(text).isprintable())
            self.assertEqual(
                json.loads(quoted(text)).encode("utf-16", "surrogatepass"), text.encode("utf-16", "surrogatepass")
            )


class ConsoleTests(LogCase):
    def test_text_has_time_level_message_and_the_ids_not_in_the_message(self) -> None:
        self.log.info("job.started", "Job started: j-1", job_id="j-1", request_id="r-1", queue="email")

        self.assertEqual(self.screen.getvalue(), "2023-11-14T22:13:20.250Z INFO Job started: j-1 request_id=r-1\n")

    def test_json_on_the_console_is_the_line_of_the_file(self) -> None:
        self.new_log(is_text=False).info("job.started", "Job started: j-1", job_id="j-1")

        self.assertEqual(self.screen.getvalue().encode(), self.file.batches[0])

    def test_json_on_the_console_is_utf_8_whatever_the_terminals_letters_are(self) -> None:
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        with os.fdopen(writing, "w", encoding="iso-8859-1") as screen:
            log = open_logs(None, level="INFO", console_format="json", max_bytes=0, backups=1, console=screen)
            log.info("a.b", "→ é漢🚚")
            log.close()

        self.assertEqual(json.loads(os.read(reading, 4096).decode())["msg"], "→ é漢🚚")

    def test_without_a_file_what_the_console_never_showed_is_counted(self) -> None:
        log = Log(None, level=INFO, console=Console(self.screen))
        log.info("a.b", "shown")
        self.assertEqual((log.dropped_total, "shown" in self.screen.getvalue()), (0, True))

        self.screen.close()
        log.info("a.b", "not shown")
        log.close()

        self.assertEqual(log.dropped_total, 1)

    def test_a_closed_console_costs_nothing_but_its_lines(self) -> None:
        self.screen.close()

        self.log.info("a.b", "to the file")

        self.assertEqual(self.only_line()["msg"], "to the file")


class HandOverTests(LogCase):
    def test_without_a_loop_each_line_is_written_at_once(self) -> None:
        self.log.info("a.b", "one")
        self.log.info("a.b", "two")

        self.assertEqual(len(self.file.batches), 2)

    def test_the_lines_of_one_turn_are_one_write_and_there_in_the_next_turn(self) -> None:
        async def turns() -> list[int]:
            self.log.info("a.b", "one")
            self.log.info("a.b", "two")
            seen = [len(self.file.batches)]
            await asyncio.sleep(0)
            seen.append(len(self.file.batches))
            self.monotonic_s += 1
            self.log.info("a.b", "three")
            await asyncio.sleep(0)
            return [*seen, len(self.file.batches)]

        self.assertEqual(asyncio.run(turns()), [0, 1, 2])
        self.assertEqual([line["msg"] for line in self.file.parsed()], ["one", "two", "three"])

    def test_turns_that_follow_each_other_at_once_share_a_write_that_comes_by_itself(self) -> None:
        async def turns() -> int:
            for msg in ("one", "two", "three"):
                self.log.info("a.b", msg)
                await asyncio.sleep(0)
            at_once = len(self.file.batches)
            async with asyncio.timeout(10):
                while len(self.file.batches) < 2:
                    await asyncio.sleep(0.001)
            return at_once

        self.assertEqual(asyncio.run(turns()), 1)
        self.assertEqual([batch.count(b"\n") for batch in self.file.batches], [1, 2])

    def test_an_error_is_written_at_once_after_what_came_before_it(self) -> None:
        async def turn() -> list[str]:
            self.log.info("a.b", "one")
            self.log.error("a.b", "two")
            return [line["msg"] for line in self.file.parsed()]

        self.assertEqual(asyncio.run(turn()), ["one", "two"])

    def test_a_loop_that_never_yields_is_flushed_by_number(self) -> None:
        async def turn() -> int:
            for _ in range(BATCH_LINES):
                self.log.info("a.b", "line")
            return len(self.file.parsed())

        self.assertEqual(asyncio.run(turn()), BATCH_LINES)

    def test_a_line_left_by_a_loop_that_ended_is_written_by_the_next_or_by_close(self) -> None:
        first, second = asyncio.new_event_loop(), asyncio.new_event_loop()

        def log_and_stop(loop: asyncio.AbstractEventLoop, msg: str) -> None:
            self.log.info("a.b", msg)
            loop.stop()

        for loop, msg in ((first, "one"), (second, "two")):
            loop.call_soon(log_and_stop, loop, msg)
            loop.run_forever()
            loop.close()
        self.log.close()

        self.assertEqual([line["msg"] for line in self.file.parsed()], ["one", "two"])

    def test_threads_beside_a_loop_lose_no_line(self) -> None:
        def talk(name: int) -> None:
            for number in range(500):
                self.log.info("a.b", f"{name}:{number}")

        async def turns() -> None:
            threads = [threading.Thread(target=talk, args=(name,)) for name in range(4)]
            for thread in threads:
                thread.start()
            number = 0
            while any(thread.is_alive() for thread in threads) or number < 500:
                self.log.info("a.b", f"loop:{number}")
                number += 1
                await asyncio.sleep(0)
            self.count = number

        asyncio.run(turns())
        self.log.close()

        messages = [line["msg"] for line in self.file.parsed()]
        self.assertEqual(len(messages), 2000 + self.count)
        self.assertEqual([m for m in messages if m.startswith("2:")], [f"2:{number}" for number in range(500)])

    def test_a_line_logged_in_the_middle_of_a_write_is_written_after_it(self) -> None:
        append, inner = self.file.append, iter(["inner"])

        def interrupted(data: bytes) -> int:
            for msg in inner:  # as a signal handler or a finaliser would
                self.log.error("a.b", msg)
            return append(data)

        self.file.append = interrupted  # type: ignore[method-assign]
        self.log.info("a.b", "outer")

        self.assertEqual([line["msg"] for line in self.file.parsed()], ["outer", "inner"])


class LossTests(LogCase):
    def test_dropped_lines_are_counted_and_told_first_once_the_file_works_again(self) -> None:
        self.file.room_lines = 0
        for _ in range(3):
            self.log.info("a.b", "dropped")
        self.file.room_lines = None
        self.log.info("a.b", "kept")
        self.log.info("a.b", "kept, too")

        first, *rest = self.file.parsed()
        self.assertEqual((first["event"], first["dropped"], first["level"]), ("log.recovered", 3, "WARNING"))
        self.assertEqual([line["msg"] for line in rest], ["kept", "kept, too"])

    def test_every_line_is_either_kept_or_counted_when_the_disk_hovers_at_full(self) -> None:
        async def turns() -> None:
            for room_lines in (2, 0, 1, 3, 0, 5, 2, None):
                self.file.room_lines = room_lines
                self.monotonic_s += 1
                for _ in range(4):
                    self.log.info("a.b", "line")
                await asyncio.sleep(0)

        asyncio.run(turns())

        lines = self.file.parsed()
        kept = sum(line["event"] == "a.b" for line in lines)
        self.assertEqual(kept + sum(line.get("dropped", 0) for line in lines), 8 * 4)

    def test_close_tells_of_lines_dropped_last(self) -> None:
        self.file.room_lines = 0
        self.log.info("a.b", "dropped")
        self.file.room_lines = None

        self.log.close()

        self.assertEqual(self.only_line()["dropped"], 1)

    def test_the_console_hears_of_trouble_once_a_minute(self) -> None:
        self.file.room_lines = 0

        for self.monotonic_s in (0.0, 1.0, COMPLAINT_PAUSE_S - 0.1, COMPLAINT_PAUSE_S):
            self.log.info("a.b", "dropped")

        told = [row for row in self.screen.getvalue().splitlines() if "Log file in trouble" in row]
        self.assertEqual(len(told), 2)
        self.assertIn("ERROR Log file in trouble: [Errno 28] No space left on device (1 lines dropped)", told[0])

    def test_where_it_may_not_write_it_says_what_to_look_at(self) -> None:
        self.file.room_lines, self.file.trouble = 0, PermissionError(13, "Permission denied")

        self.log.info("a.b", "dropped")

        self.assertIn("[Errno 13] Permission denied; see LOG_DIR and whose it is (1 lines", self.screen.getvalue())

    def test_a_line_that_can_not_be_made_is_counted_not_raised(self) -> None:
        self.log.info("a.b", None)  # type: ignore[arg-type]
        self.log.info("a.b", "next")

        self.assertEqual([line.get("dropped") for line in self.file.parsed()], [1, None])


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
