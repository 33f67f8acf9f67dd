"""Errors by kinds: what each way to fail adds to them."""

import unittest
from typing import Any

from lib.errors import QueueNotFound, RedisKeysBroken
from lib.jobs.error_kinds import ERROR_WINDOWS, OTHER, ErrorKind, worst_first
from lib.jobs.masking import masked_error
from lib.queue.end_record import fail_record
from lib.queue.error_store import ErrorStore
from tests.redis.case import RedisCase

HOUR_S = 3600


class ErrorsCase(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.errors = ErrorStore(self.link, self.keys, self.queues)
        await self.queues.add(["q"])

    async def kinds(self) -> list[ErrorKind]:
        return worst_first((await self.errors.of_queue("q", ERROR_WINDOWS["1h"]))[1])

    async def fail_one(self, error: dict[str, Any], delay_s: float | None = None) -> str:
        """A job whose attempt ends so."""
        job_id, runner = await self.enqueue(), await self.lease()
        job = await self.claimed(runner)
        await runner.end_and_wait("fail", fail_record(job.job_id, job.token, error, delay_s))
        return job_id


class Kinds(ErrorsCase):
    async def test_dead_and_retried_ones_are_counted(self) -> None:
        error = {"type": "SMTPServerBusy", "message": "12 mails an hour at most\nand more"}
        for delay_s in (HOUR_S, HOUR_S, None):
            last = await self.fail_one({**error, "message": error["message"].replace("12", str(delay_s))}, delay_s)

        first, second = await self.kinds()

        self.assertEqual(("q", "noop", "SMTPServerBusy"), (first.queue, first.job_type, first.type))
        self.assertEqual(("None mails an hour at most", 1, 0), (first.message, first.dead, first.retried))
        self.assertEqual(("# mails an hour at most", 0, 2), (second.message, second.dead, second.retried))
        self.assertEqual((last, [0] * 11 + [1]), (first.last_job_id, first.line))
        self.assertLess(abs(first.last_ms - await self.now_ms()), 5000)

    async def test_an_error_of_many_queues_is_one_kind_over_all_of_them(self) -> None:
        await self.queues.add(["other", "third"])
        for self.queue_name in ("q", "other", "other", "third"):
            await self.fail_one({"type": "ConnectionRefusedError", "message": "[Errno 111] Connection refused"})

        _, kinds, unreadable = await self.errors.of_all(ERROR_WINDOWS["1h"])
        self.assertEqual(([], 3), (unreadable, len(kinds)))
        self.assertEqual({("q", 1), ("other", 2), ("third", 1)}, {(kind.queue, kind.dead) for kind in kinds})

        _, (one,), _ = await self.errors.of_all(ERROR_WINDOWS["1h"], is_merged=True)

        self.assertEqual((None, 3, 4, [0] * 11 + [4]), (one.queue, one.queues, one.dead, one.line))

    async def test_what_differs_from_job_to_job_is_masked(self) -> None:
        for message, shown in (
            ("order 4711 of 3,50 EUR", "order # of #,# EUR"),
            ("no mail to <anna.b+c@example.com>: 550", "no mail to # #"),
            ("job 01a226f6-7ede-8000-82e6-7a36aaffcdcf has 01a226f67ede8000", "job # has #"),
            ("Größe 12 passt nicht", "Größe # passt nicht"),
            ("\n\nsecond line", "second line"),
            ("ä" * 200, "ä" * 79),
            ("503 from 127.0.0.1", "503 from #.#.#.#"),
            ("550 5.1.1 no user 550", "550 #.#.# no user #"),
            ("404: 12 rows", "404: # rows"),
            ("429", "429"),
            ("250 rows", "# rows"),
            ("5031 rows", "# rows"),
            ("503.5 s", "#.# s"),
            ("got 502", "got #"),
            ("x\x1ey\x1fz", "x"),
            ("", ""),
        ):
            with self.subTest(message):
                await self.fail_one({"type": "E", "message": message}, None)

                self.assertIn(shown, [kind.message for kind in await self.kinds()])

    async def test_where_a_secret_is_named_it_is_known_behind_digits_and_addresses_too(self) -> None:
        for message, shown in (
            ("password1=hunter", "password#=********"),
            ('{"client_secret_2": "hunter7"}', '{"client_secret_#": "********"}'),
            ("x-api-key-deadbeef01: hunter", "x-api-key-#: ********"),
            ("password='a@b.example hunter'", "password='********'"),
            ("no room for max_tokens=4096", "no room for max_tokens=#"),
        ):
            with self.subTest(message):
                await self.fail_one({"type": "E", "message": message}, None)

                found = [masked_error({"message": kind.message}, []) for kind in await self.kinds()]
                self.assertIn({"message": shown}, found)

    async def test_an_error_of_another_form_has_a_kind_too(self) -> None:
        for error in ({}, {"type": 7, "message": ["x"]}, {"type": "a\x1fb\x1ec", "message": None}):
            await self.fail_one(error)

        self.assertEqual({"unknown", "a b c"}, {kind.type for kind in await self.kinds()})

    async def test_the_kinds_of_an_hour_have_a_bound_and_no_failure_is_left_out(self) -> None:
        for number in range(53):
            await self.fail_one({"type": f"E{number}", "message": "x"}, HOUR_S)
        await self.fail_one({"type": "E3", "message": "x"})

        found = await self.kinds()

        self.assertEqual(51, len(found))
        other = next(kind for kind in found if kind.type == OTHER)
        self.assertEqual((3, ""), (other.retried, other.job_type))
        self.assertEqual(54, sum(kind.dead + kind.retried for kind in found))
        self.assertEqual("E3", found[0].type)

    async def test_they_are_forgotten_after_a_day(self) -> None:
        await self.fail_one({"type": "E", "message": "x"})
        await self.fail_one({"type": "E", "message": "y"})

        (key,) = self.key_names(f"{self.base}errors:*")

        self.assertTrue(24 * HOUR_S < self.client.ttl(key) <= 25 * HOUR_S)


class EachWay(ErrorsCase):
    async def test_a_crash(self) -> None:
        await self.enqueue()
        await self.claimed(await self.lease())
        await self.crash("w")

        (found,) = await self.kinds()
        self.assertEqual(("worker_lost", 0, 1), (found.type, found.dead, found.retried))

    async def test_one_that_expires(self) -> None:
        job_id = await self.enqueue(expires_in_ms=60_000)
        self.client.zadd(self.base + "expiring", {job_id: 1})
        await self.queues.upkeep.expire("q")

        (found,) = await self.kinds()
        self.assertEqual(("expired", 1, 0, job_id), (found.type, found.dead, found.retried, found.last_job_id))

    async def test_one_that_is_cancelled_is_no_error(self) -> None:
        await self.job_store.cancel(await self.enqueue())

        self.assertEqual([], await self.kinds())

    async def test_a_callback_that_says_failed(self) -> None:
        for pause_s in (HOUR_S, None):
            await self.enqueue()
            runner = await self.lease()
            job = await self.claimed(runner)
            key = await self.job_store.callbacks.expect(job.job_id, job.token)
            await self.job_store.callbacks.fail(key, '{"type":"remote","message":"no"}', pause_s)

        (found,) = await self.kinds()
        self.assertEqual(("remote", 1, 1), (found.type, found.dead, found.retried))


class Broken(ErrorsCase):
    async def test_a_broken_hash_costs_its_counts_alone(self) -> None:
        hour = await self.now_ms() // 3_600_000
        self.client.set(f"{self.base}errors:{hour}", "x")

        job_id = await self.fail_one({"type": "E", "message": "x"})

        self.assertEqual("dead", await self.state(job_id))
        with self.assertRaises(RedisKeysBroken):
            await self.kinds()
        _, kinds, (unreadable,) = await self.errors.of_all(ERROR_WINDOWS["24h"])
        self.assertEqual(([], "q"), (kinds, unreadable.queue))

    async def test_a_count_that_somebody_changed_is_begun_anew(self) -> None:
        await self.fail_one({"type": "E", "message": "x"})
        (key,) = self.key_names(f"{self.base}errors:*")
        self.client.hset(key, "noop\x1fE\x1fx", "7")

        await self.fail_one({"type": "E", "message": "x"})

        (found,) = await self.kinds()
        self.assertEqual(1, found.dead)

    async def test_a_queue_that_is_not_there(self) -> None:
        with self.assertRaises(QueueNotFound):
            await self.errors.of_queue("nowhere", ERROR_WINDOWS["1h"])


if __name__ == "__main__":
    unittest.main()
