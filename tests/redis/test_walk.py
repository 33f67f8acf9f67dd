"""walk.py for three seconds: a random walk over every script, judged after each step."""

import os
import unittest
from pathlib import Path

from tests.redis.case import RedisCase
from tests.redis.walk import WALKED, Walk
from tests.redis.walk_graphs import GraphWalk
from tests.redis.walk_limits import LimitedWalk

SECONDS = 3.0


class AnyOrder(RedisCase):
    async def test_after_each_step_every_job_is_in_its_one_place(self) -> None:
        seed = int.from_bytes(os.urandom(3), "big")  # An AssertionError of the walk names it.

        self.assertGreater(await Walk(self.link, self.client, seed).run(SECONDS), 10)

    async def test_so_it_is_with_groups_and_limits_that_come_and_go(self) -> None:
        seed = int.from_bytes(os.urandom(3), "big")

        self.assertGreater(await LimitedWalk(self.link, self.client, seed).run(SECONDS), 10)

    async def test_so_it_is_with_jobs_that_wait_for_jobs(self) -> None:
        seed = int.from_bytes(os.urandom(3), "big")

        self.assertGreater(await GraphWalk(self.link, self.client, seed).run(SECONDS), 10)

    def test_every_script_of_a_queue_has_a_step(self) -> None:
        folder = Path(__file__).parent
        names = ("walk.py", "walk_limits.py", "walk_graphs.py", "walk_numbers.py")
        source = "".join((folder / name).read_text(encoding="utf-8") for name in names)

        self.assertEqual(set(), {name for name in WALKED if f'"{name}"' not in source})


if __name__ == "__main__":
    unittest.main()
