"""logs/line_buffer.py: when the lines that wait are written."""

import asyncio
import threading
import unittest

from lib.logs.line_buffer import BATCH_LINES
from tests.unit.logs.log_case import LogCase


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


if __name__ == "__main__":
    unittest.main()
