"""The board of censuses: what has changed, what was removed, and what changes though nothing happens."""

import asyncio
import unittest
from typing import Any

from lib.queue.census import Census
from lib.queue.census_board import MOST_CHANGED, USUAL_PACE, BoardReader, CensusBoard, Row
from lib.queue.event_stream import EventStream
from lib.queue.queue_store import QueueStore
from lib.queue.queue_trouble import Trouble, trouble_of
from lib.queue.unreadable import Unreadable
from tests.redis.case import LIMIT_S, RedisCase

QUICK = USUAL_PACE._replace(beat_s=0.05)


NONE = Trouble("", 0, "")


def counted_ms(row: Row) -> int:
    """Redis' clock when the queue was counted."""
    assert isinstance(row.census, Census)
    return row.census.at_ms


class BoardCase(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.events = EventStream(self.link, self.keys, self.queues)
        self.addAsyncCleanup(self.events.close)
        self.board = self.a_board()

    def a_board(self, queues: QueueStore | None = None, **pace: float) -> CensusBoard:
        board = CensusBoard(self.link, queues or self.queues, self.events, QUICK._replace(**pace))
        self.addCleanup(board.close)
        return board

    async def start(self, reader: BoardReader, board: CensusBoard | None = None) -> list[Row]:
        await (board or self.board).fill(reader.queues)
        return reader.all_rows()

    async def changed(self, reader: BoardReader) -> list[Row]:
        """The next rows that the reader has not seen."""
        async with asyncio.timeout(LIMIT_S):
            while not (rows := reader.changed_rows()):
                reader.news.clear()
                await reader.news.wait()
            return rows

    async def enqueue_in(self, *queues: str) -> None:
        for queue in queues:
            await self.job_store.enqueue(self.job(queue=queue))

    def shown(self, rows: list[Row]) -> list[tuple[str, Any]]:
        """Queue and ready jobs; None for a queue that is gone."""
        return [(row.queue, row.census.counts["ready"] if isinstance(row.census, Census) else None) for row in rows]


class Changes(BoardCase):
    async def test_a_reader_starts_with_every_queue_and_is_told_of_those_that_change(self) -> None:
        await self.enqueue_in("a", "b", "c")
        with self.board.reader(None) as reader:
            self.assertEqual([("a", 1), ("b", 1), ("c", 1)], self.shown(await self.start(reader)))

            await self.enqueue_in("b")
            self.assertEqual([("b", 2)], self.shown(await self.changed(reader)))
            self.assertFalse(reader.is_behind)

    async def test_a_change_of_settings_and_a_worker_are_changes(self) -> None:
        await self.enqueue_in("q", "other")
        with self.board.reader(None) as reader:
            await self.start(reader)
            await self.queues.adjust("q", {"paused": True})
            (row,) = await self.changed(reader)
            assert isinstance(row.census, Census)
            self.assertTrue(row.census.settings["paused"])

            await self.lease("runner")
            (row,) = await self.changed(reader)
            assert isinstance(row.census, Census)
            self.assertEqual(("q", 1), (row.queue, row.census.workers))

    async def test_a_queue_that_begins_is_told_of_and_one_that_is_removed_too(self) -> None:
        await self.queues.add(["old"])
        with self.board.reader(None) as reader, self.board.reader(None) as other:
            await self.start(reader)
            await self.enqueue_in("new")
            self.assertEqual([("new", 1)], self.shown(await self.changed(reader)))
            await self.queues.remove("old")
            self.assertEqual([("old", None)], self.shown(await self.changed(reader)))

            self.assertEqual([("new", 1)], self.shown(await self.start(other)))
            await self.queues.add(["old"])
            self.assertEqual([("old", 0)], self.shown(await self.changed(reader)))

    async def test_a_reader_of_some_queues_is_told_of_those_alone(self) -> None:
        await self.enqueue_in("a", "b")
        with self.board.reader(frozenset({"b", "later"})) as reader, self.board.reader(None):
            self.assertEqual([("b", 1)], self.shown(await self.start(reader)))
            await self.enqueue_in("a", "later")

            self.assertEqual([("later", 1)], self.shown(await self.changed(reader)))

    async def test_many_changed_queues_are_asked_some_at_a_time_and_none_is_forgotten(self) -> None:
        names = [f"q{number:03}" for number in range(2 * MOST_CHANGED + 20)]
        await self.enqueue_in(*names)
        with self.board.reader(None) as reader:
            self.assertEqual(names, [row.queue for row in await self.start(reader)])
            await self.enqueue_in(*names)
            told: dict[str, Any] = {}
            at_once: list[int] = []
            async with asyncio.timeout(LIMIT_S):
                while told != dict.fromkeys(names, 2):
                    rows = await self.changed(reader)
                    told.update(self.shown(rows))
                    at_once.append(len(rows))

        self.assertLessEqual(max(at_once), MOST_CHANGED)

    async def test_a_slow_reader_is_told_of_a_queue_once(self) -> None:
        await self.enqueue_in("a", "b")
        with self.board.reader(None) as slow, self.board.reader(None) as quick:
            await self.start(slow)
            await self.start(quick)
            for _ in range(3):
                await self.enqueue_in("a")
                await self.changed(quick)
            await self.enqueue_in("b")
            await self.changed(quick)

            self.assertEqual([("a", 4), ("b", 2)], self.shown(slow.changed_rows()))

    async def test_a_queue_that_can_not_be_read_says_so_until_it_is_mended(self) -> None:
        await self.enqueue_in("q", "other")
        with self.board.reader(None) as reader:
            await self.start(reader)
            self.client.rename(self.base + "all", self.base + "kept")
            self.client.set(self.base + "all", "no index")
            await self.queues.adjust("q", {"max_depth": 5})
            (row,) = await self.changed(reader)
            self.assertIsInstance(row.census, Unreadable)

            self.client.rename(self.base + "kept", self.base + "all")
            await self.queues.adjust("q", {"max_depth": 6})
            self.assertEqual([("q", 1)], self.shown(await self.changed(reader)))


class ByThemselves(BoardCase):
    async def test_a_worker_that_is_gone_is_found_out_though_nothing_tells_of_it(self) -> None:
        await self.queues.add(["q"])
        board = self.a_board(QueueStore(self.link, self.keys, lease_s=0.4), idle_s=0.1)
        await self.lease("runner")
        with board.reader(None) as reader:
            (before,) = await self.start(reader, board)
            (after,) = await self.changed(reader)

        assert isinstance(before.census, Census)
        assert isinstance(after.census, Census)
        self.assertEqual((1, 0), (before.census.workers, after.census.workers))

    async def test_the_age_of_the_oldest_job_alone_is_no_change(self) -> None:
        await self.enqueue_in("q")
        board = self.a_board(idle_s=0.05, lively_s=0.05)
        with board.reader(None) as reader:
            (before,) = await self.start(reader, board)
            self.client.delete(*self.key_names("wb:{q}:minute:*"))  # Its rates fall meanwhile, and that is a change.
            await self.changed(reader)
            seen = reader.seen
            async with asyncio.timeout(LIMIT_S):
                while counted_ms(next(board.rows())) <= counted_ms(before) + 500:
                    await asyncio.sleep(0.005)

        self.assertEqual(seen, board.version)

    async def test_a_job_that_has_waited_so_long_that_it_is_a_trouble_is_a_change(self) -> None:
        await self.lease()
        await self.enqueue_in("q")
        board = self.a_board(idle_s=0.05, lively_s=0.05)
        with board.reader(None) as reader:
            (before,) = await self.start(reader, board)
            self.client.delete(*self.key_names("wb:{q}:minute:*"))
            await self.changed(reader)
            (job_key,) = self.key_names(f"{self.base}job:*")
            self.client.hset(job_key, "since", await self.now_ms() - 61_000)
            (row,) = await self.changed(reader)

        assert isinstance(before.census, Census)
        assert isinstance(row.census, Census)
        self.assertIsNone(trouble_of(before.census))
        self.assertEqual("backlog", (trouble_of(row.census) or NONE).code)

    async def test_a_queue_whose_rates_are_not_0_yet_is_asked_again_sooner(self) -> None:
        await self.enqueue_in("lively")
        await self.queues.add(["idle"])
        board = self.a_board(lively_s=0.05, idle_s=600.0)
        with board.reader(None) as reader:
            before = {row.queue: counted_ms(row) for row in await self.start(reader, board)}
            self.client.delete(*self.key_names("wb:{lively}:minute:*"))
            (row,) = await self.changed(reader)

            assert isinstance(row.census, Census)
            self.assertEqual(("lively", 0), (row.queue, row.census.per_minute["enqueued"]))
            self.assertEqual(before["idle"], {row.queue: counted_ms(row) for row in board.rows()}["idle"])


class Memory(BoardCase):
    async def test_a_removed_queue_is_kept_until_every_reader_has_seen_that(self) -> None:
        await self.queues.add(["old", "q"])
        with self.board.reader(None) as slow, self.board.reader(None) as quick:
            await self.start(slow)
            await self.start(quick)
            await self.queues.remove("old")
            self.assertEqual([("old", None)], self.shown(await self.changed(quick)))
            await self.enqueue_in("q")
            await self.changed(quick)
            self.assertEqual([("old", None), ("q", 1)], self.shown(slow.changed_rows()))
            await self.enqueue_in("q")
            await self.changed(quick)

            self.assertEqual(["q"], [row.queue for row in self.board.rows()])

    async def test_with_the_last_reader_everything_is_forgotten(self) -> None:
        await self.enqueue_in("q")
        with self.board.reader(None) as reader:
            await self.start(reader)

        self.assertEqual([], list(self.board.rows()))
        with self.board.reader(None) as reader:
            await self.enqueue_in("q")
            self.assertEqual([("q", 2)], self.shown(await self.start(reader)))


if __name__ == "__main__":
    unittest.main()
