"""What runners measure of their jobs, added up in Redis; and which runners count as alive."""

import unittest

from lib.jobs.webhook_outcomes import WebhookOutcomes
from lib.prometheus import JOB_BOUNDS_S
from lib.queue.bulkheads import Bulkheads
from lib.queue.meters import Meters
from lib.work.runner.timings import Timings
from tests.a_log import ALog
from tests.redis.case import LosesReplies, RedisCase


class Observed(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.meters = Meters(self.link, self.keys)

    async def test_what_several_runners_measure_is_added_up(self) -> None:
        for name in ("a", "b"):
            timings = Timings(self.meters, name, Bulkheads(ALog(self)))
            timings.note_wait("q", "mail", 0.004)
            timings.note_run("q", "mail", 0.2)
            timings.note_run("q", "a type of words", 9999)
            await timings.flush()
            timings.note_run("q", "mail", 0.25)
            await timings.flush()
            await timings.flush()

        found = (await self.meters.read("q")).timings

        self.assertEqual({("wait", "mail"), ("duration", "mail"), ("duration", "a type of words")}, set(found))
        ran = found["duration", "mail"]
        self.assertEqual((4, 900_000), (ran.counts[JOB_BOUNDS_S.index(0.25)], ran.sum_us))
        self.assertEqual(4, sum(ran.counts))
        self.assertEqual(2, found["duration", "a type of words"].counts[-1])
        self.assertEqual(2, found["wait", "mail"].counts[0])

    async def test_outcomes_of_webhooks_go_with_the_times_and_are_no_histogram(self) -> None:
        outcomes = WebhookOutcomes()
        timings = Timings(self.meters, "a", Bulkheads(ALog(self)), outcomes.take)
        for outcome in ("taken", "taken", "no_answer"):
            outcomes.note("q", outcome)
        outcomes.note("other", "refused")
        timings.note_run("q", "webhook", 0.2)

        await timings.flush()
        outcomes.note("q", "taken")
        await timings.flush()
        await timings.flush()

        found, other = await self.meters.read("q"), await self.meters.read("other")
        self.assertEqual({"taken": 3, "no_answer": 1}, found.webhooks)
        self.assertEqual([("duration", "webhook")], [*found.timings])
        self.assertEqual(({"refused": 1}, {}), (other.webhooks, other.timings))

    async def test_outcomes_are_kept_while_redis_is_away_and_counted_once(self) -> None:
        outcomes, link = WebhookOutcomes(), LosesReplies(self.link)
        timings = Timings(Meters(link, self.keys), "a", Bulkheads(ALog(self)), outcomes.take)
        outcomes.note("q", "taken")
        link.lose = 1

        await timings.flush()
        outcomes.note("q", "taken")
        await timings.flush()
        await timings.flush()

        self.assertEqual({"taken": 2}, (await self.meters.read("q")).webhooks)

    async def test_what_was_sent_twice_is_counted_once(self) -> None:
        link = LosesReplies(self.link)
        timings = Timings(Meters(link, self.keys), "a", Bulkheads(ALog(self)))
        timings.note_run("q", "mail", 1.0)
        link.lose = 1

        await timings.flush()
        timings.note_run("q", "mail", 1.0)
        await timings.flush()
        await timings.flush()

        self.assertEqual(2, sum((await self.meters.read("q")).timings["duration", "mail"].counts))

    async def test_one_queues_broken_timings_cost_the_others_nothing_and_are_added_once_mended(self) -> None:
        self.client.set("wb:{broken}:timings", "no hash")
        timings = Timings(self.meters, "a", Bulkheads(ALog(self)))
        for queue in ("broken", "q"):
            timings.note_run(queue, "mail", 1.0)

        await timings.flush()
        self.client.delete("wb:{broken}:timings")
        await timings.flush()
        await timings.flush()

        for queue in ("broken", "q"):
            self.assertEqual(1, sum((await self.meters.read(queue)).timings["duration", "mail"].counts), queue)

    async def test_a_broken_field_is_passed_over_and_the_others_are_added_once(self) -> None:
        self.client.hset(self.base + "timings", "wait sum mail", "garbage")

        await self.meters.observe("q", "a", 1, {"wait 0.1 mail": 2, "wait sum mail": 5, "wait 1 mail": 3})

        self.assertEqual(5, sum((await self.meters.read("q")).timings["wait", "mail"].counts))

    async def test_a_bound_of_another_version_counts_for_the_next_larger_one(self) -> None:
        await self.meters.observe("q", "a", 1, {"wait 0.3 mail": 2, "wait inf mail": 1, "wait sum mail": 5})

        wait = (await self.meters.read("q")).timings["wait", "mail"]

        self.assertEqual((2, 1, 5), (wait.counts[JOB_BOUNDS_S.index(0.5)], wait.counts[-1], wait.sum_us))

    async def test_a_queue_of_which_nothing_was_counted_is_empty(self) -> None:
        self.assertEqual(({}, {}, None, 0, 0.0, {}), await self.meters.read("nowhere"))

    async def test_what_was_counted_before_types_were_is_of_an_unknown_type(self) -> None:
        self.client.hset(self.base + "totals", mapping={"completed": 5, "completed mail": 2})

        self.assertEqual({("completed", "unknown"): 5, ("completed", "mail"): 2}, (await self.meters.read("q")).totals)
        self.client.flushall()


class Alive(RedisCase):
    async def test_a_runner_counts_until_its_lease_is_over_or_it_is_gone(self) -> None:
        await self.queues.runners.show(["a", "b"], 60)
        await self.queues.runners.show(["b", "c"], 60)
        self.assertEqual(3, await self.queues.runners.count_alive())

        await self.queues.runners.hide(["a"])
        self.client.zadd("wb:runners", {"b": await self.now_ms() - 1})

        self.assertEqual(1, await self.queues.runners.count_alive())

    async def test_those_whose_lease_is_over_are_forgotten(self) -> None:
        self.client.zadd("wb:runners", {"old": 1})

        await self.queues.runners.show(["a"], 60)

        self.assertEqual([b"a"], self.client.zrange("wb:runners", 0, -1))


class ManyQueues(RedisCase):
    async def test_names_are_read_in_bites_and_none_is_missed(self) -> None:
        names = [f"q{number}" for number in range(3000)]
        self.client.sadd("wb:queues", *names)

        self.assertEqual(sorted(names), await self.queues.names())
        self.client.flushall()


if __name__ == "__main__":
    unittest.main()
