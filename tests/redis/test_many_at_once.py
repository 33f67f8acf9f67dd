"""cancel.lua, retry.lua and delete.lua with many jobs in one call: a word for each, as if each had come alone."""

import unittest
from typing import Any

from lib.errors import RedisKeysBroken
from lib.queue.scripts import Scripts
from tests.redis.case import RedisCase, ending, ids_of

MANY = 200


class ManyCase(RedisCase):
    async def words(self, script: str, *arguments: str) -> list[str]:
        answer: Any = await Scripts(self.link).call(script, self.base, *arguments)
        return [word.decode() for word in answer]

    async def cancel(self, *ids: str, forced: str = "", key: str = "") -> list[str]:
        return await self.words("cancel", *(text for job_id in ids for text in (job_id, forced, key, "print", "")))

    async def retry(self, *ids: str, unique_key: str = "") -> list[str]:
        return await self.words("retry", *(text for job_id in ids for text in (job_id, unique_key, "", "", "", "", "")))

    async def delete(self, *ids: str) -> list[str]:
        return await self.words("delete", *(text for job_id in ids for text in (job_id, "")))

    async def completed(self, count: int) -> list[str]:
        await self.enqueue_many(count)
        runner = await self.lease()
        jobs = (await runner.claim(count)).jobs
        for job in jobs:
            await runner.end_and_wait("finish", ending("finish", job))
        return [job.job_id for job in jobs]


class Cancel(ManyCase):
    async def test_each_is_answered_by_its_state(self) -> None:
        (ended,) = await self.completed(1)
        active = await self.enqueue("high")
        runner = await self.lease()
        self.assertEqual([active], ids_of(await runner.claim(1)))
        ready, delayed = await self.enqueue(), await self.enqueue(delay_ms=60_000)

        words = await self.cancel(ended, ready, "q-none", active, delayed, forced="1")

        self.assertEqual(["completed", "done", "", "requested", "done"], words)
        self.assertEqual({active, f"!{active}"}, await runner.cancel_requests())
        self.assertEqual(["cancelled"] * 2, [self.states()[job_id] for job_id in (ready, delayed)])

    async def test_two_hundred_are_one_event_and_are_counted(self) -> None:
        ids = [*await self.enqueue_many(MANY // 2), *await self.enqueue_many(MANY // 2, delay_ms=60_000)]

        self.assertEqual(["done"] * MANY, await self.cancel(*ids))

        entries: Any = self.client.xrange(self.base + "events")
        (joined,) = [fields[b"ids"] for _, fields in entries if fields[b"by"] == b"cancel"]
        self.assertEqual(set(ids), set(joined.decode().split(",")))
        self.assertEqual(MANY, (await self.queues.census("q")).totals["cancelled"])

    async def test_one_that_comes_twice_is_cancelled_once(self) -> None:
        job_id = await self.enqueue()

        self.assertEqual(["done", "done"], await self.cancel(job_id, job_id))

        self.assertEqual(1, (await self.queues.census("q")).totals["cancelled"])

    async def test_each_has_an_idempotency_key_of_its_own(self) -> None:
        job_id = await self.enqueue()
        await self.cancel(job_id, key="caller once")

        self.assertEqual(["replayed"], await self.cancel(job_id, key="caller once"))

    async def test_where_one_is_broken_the_others_are_as_they_were(self) -> None:
        ids = [await self.enqueue(), await self.enqueue(delay_ms=60_000)]
        self.client.set(f"{self.base}job:q-broken", "no hash")
        before = self.dump()

        with self.assertRaises(RedisKeysBroken):
            await self.cancel(*ids, "q-broken")

        self.assertEqual(before, self.dump())
        self.client.delete(f"{self.base}job:q-broken")


class Retry(ManyCase):
    async def test_two_hundred_are_ready_in_their_order(self) -> None:
        ids = await self.completed(MANY)

        self.assertEqual(["done"] * MANY, await self.retry(*ids))

        self.assertEqual(ids, ids_of(await (await self.lease("again")).claim(MANY)))

    async def test_each_is_answered_by_its_state(self) -> None:
        (ended,) = await self.completed(1)
        ready = await self.enqueue()

        self.assertEqual(["done", "ready", "", "ready"], await self.retry(ended, ready, "q-none", ended))

    async def test_of_two_with_one_unique_key_the_first_runs(self) -> None:
        first, second = await self.completed(2)

        self.assertEqual(["done", f"unique {first}"], await self.retry(first, second, unique_key="report"))


class Delete(ManyCase):
    async def test_each_is_answered_by_its_state(self) -> None:
        ended = await self.completed(2)
        cancelled, ready = await self.enqueue_many(2)
        await self.job_store.cancel(cancelled)

        words = await self.delete(ended[0], ready, cancelled, "q-none", ended[1])

        self.assertEqual(["done", "ready", "done", "", "done"], words)
        self.assertEqual({ready: "ready"}, self.states())

    async def test_two_hundred_are_gone(self) -> None:
        ids = await self.completed(MANY)

        self.assertEqual(["done"] * MANY, await self.delete(*ids))

        self.assertEqual({}, self.states())

    async def test_one_that_comes_twice_is_gone_once(self) -> None:
        (job_id,) = await self.completed(1)

        self.assertEqual(["done", "done"], await self.delete(job_id, job_id))

        self.assertEqual({}, self.states())


if __name__ == "__main__":
    unittest.main()
