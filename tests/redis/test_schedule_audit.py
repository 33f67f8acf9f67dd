"""The audit of schedules: what somebody did to their three places by hand is named, and nothing else."""

import unittest

from lib.commands import audit
from lib.errors import RedisKeysBroken
from tests.redis.schedule_case import JOB, ScheduleCase, every


class ScheduleAudit(ScheduleCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        await self.queues.add(["q"])
        await self.put(every(3600))

    async def asyncTearDown(self) -> None:
        # What is broken here is not mended at the end; the oracle would find it as well.
        self.client.flushall()
        await super().asyncTearDown()

    async def assert_found(self, *faults: str) -> None:
        found = await audit.find_faults(self.link, self.keys)

        self.assertEqual(sorted(f"q: {fault}" for fault in faults), sorted(found))

    async def test_schedules_as_they_must_be_are_no_finding(self) -> None:
        await self.put(every(60, paused=True), "paused")
        await self.put(every(60, ends_ms=1), "ended")
        await self.put(every(60, jitter_ms=5000), "jitter")
        await self.put(every(60, job={**JOB, "queue": "other"}), "elsewhere")

        await self.assert_found()

    async def test_one_without_a_place_in_slots_is_named(self) -> None:
        self.client.zrem(self.base + "slots", "s")

        await self.assert_found("the schedule s has no place in slots, so that it never fires: PUT it again")
        await self.put(every(3600))
        await self.assert_found()

    async def test_one_that_is_not_in_the_index_is_named(self) -> None:
        self.client.delete(self.keys.schedules)

        await self.assert_found(
            "the schedule s is not in wb:schedules, so that the API finds it not: that is mended when it fires"
        )

    async def test_one_whose_hash_is_gone_is_named(self) -> None:
        self.client.delete(self.keys.schedule("q", "s"))

        await self.assert_found(
            "the schedule s has a place in slots and is gone: PUT it again; without that, the place goes when it is due"
        )
        self.client.delete(self.base + "slots")
        await self.assert_found(
            "the schedule s is in wb:schedules and is gone: PUT it again, or take the entry out with HDEL"
        )

    async def test_two_of_one_name_are_named(self) -> None:
        self.client.hset(self.keys.schedules, "s", "q2")

        found = await audit.find_faults(self.link, self.keys)

        self.assertIn(
            "q: the schedule s is in wb:schedules as one of the queue q2: there are two of that name; delete one", found
        )

    async def test_a_slot_and_a_due_time_that_contradict_each_other_are_named(self) -> None:
        self.client.zadd(self.base + "slots", {"s": "+inf"})
        slot = str(self.client.hget(self.keys.schedule("q", "s"), "slot").decode())
        await self.assert_found(f"the schedule s has the slot {slot}, and is due at inf ms: pause it, and resume it")

        self.client.hset(self.keys.schedule("q", "s"), "slot", "soon")
        await self.assert_found("the schedule s has the slot 'soon', which is no time: delete it, and PUT it again")

    async def test_a_key_of_another_type_is_named(self) -> None:
        key = self.keys.schedule("q", "s")
        self.client.delete(key)
        self.client.set(key, "no hash")

        await self.assert_found(f"the schedule s can't fire: {key} holds no hash; delete that key, and PUT it again")

    async def test_one_that_can_not_be_read_is_named_and_can_be_deleted(self) -> None:
        self.client.hset(self.keys.schedule("q", "s"), "text", "{")

        (found,) = await audit.find_faults(self.link, self.keys)

        self.assertRegex(found, "^q: the schedule s can't be read: .*; delete it, and PUT it again$")
        with self.assertRaises(RedisKeysBroken):
            await self.schedules.delete("s", lambda version: version == 1)
        await self.schedules.delete("s")
        await self.assert_found()
        await self.put(every(60))
        self.client.delete(self.keys.schedule("q", "s"))
        self.client.set(self.keys.schedule("q", "s"), "a text")
        await self.schedules.delete("s")
        await self.assert_found()

    async def test_broken_slots_and_a_broken_index_are_named(self) -> None:
        for key in (self.base + "slots", self.keys.schedules):
            self.client.delete(key)
            self.client.set(key, "neither")

        found = await audit.find_faults(self.link, self.keys)

        self.assertIn("q: wb:{q}:slots holds no zset; mend it or delete it", found)
        self.assertIn(
            "wb:schedules holds no hash; it is to hold each schedule's queue: delete it, entries come back", found
        )


if __name__ == "__main__":
    unittest.main()
