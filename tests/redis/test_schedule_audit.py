"""What the doctor finds where somebody changed the keys of schedules by hand."""

import unittest

from lib.commands import audit
from lib.errors import RedisKeysBroken
from tests.redis.schedule_case import ScheduleCase, every


class Audit(ScheduleCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        await self.put(every(60), "well")
        await self.put(every(60, paused=True), "paused")

    async def assert_found(self, *sentences: str) -> None:
        self.assertEqual([*sentences], await audit.find_faults(self.link, self.keys))

    async def test_schedules_as_they_are_written_are_well(self) -> None:
        await self.assert_found()

    async def test_what_has_no_place_or_no_record_or_no_entry_is_named(self) -> None:
        for name in ("placeless", "recordless", "unentered"):
            await self.put(every(60), name)
        self.client.zrem(self.base + "slots", "placeless")
        self.client.delete(self.keys.schedule("q", "recordless"))
        self.client.hdel("wb:schedules", "unentered")
        self.client.hset("wb:schedules", "ghost", "q")

        await self.assert_found(
            "q: the schedule ghost stands in wb:schedules and is gone; PUT it again, or leave it: it does nothing",
            "q: the schedule placeless has no place in slots and never fires; pause it and resume it",
            "q: the schedule recordless stands in slots and is gone; PUT it again, or leave it: it does nothing",
            "q: the schedule unentered is not in wb:schedules, so that the API does not find it; its next run enters it"
            " again",
        )
        self.client.flushall()

    async def test_what_can_not_be_read_is_named(self) -> None:
        self.client.hset(self.keys.schedule("q", "well"), "text", "{")

        (found,) = await audit.find_faults(self.link, self.keys)

        self.assertRegex(found, "^q: the schedule well can't be read: .*; delete it, and PUT it anew$")
        with self.assertRaises(RedisKeysBroken):
            await self.schedules.delete("well", lambda version: version == 1)
        await self.schedules.delete("well")
        await self.put(every(60), "well")
        await self.assert_found()
        self.client.set(self.keys.schedule("q", "paused"), "a text")
        await self.schedules.delete("paused")
        await self.assert_found()

    async def test_broken_keys_are_named_once(self) -> None:
        for key, words in (("wb:{q}:slots", "holds no zset"), ("wb:schedules", "WRONGTYPE|wb:schedules")):
            kept = self.client.dump(key)
            self.client.set(key, "x")

            (found,) = await audit.find_faults(self.link, self.keys)

            self.assertRegex(found, words)
            self.client.restore(key, 0, kept, replace=True)


if __name__ == "__main__":
    unittest.main()
