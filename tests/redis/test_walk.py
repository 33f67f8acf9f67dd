"""walk.py for three seconds: a random walk over every script, judged after each step."""

import os
import unittest
from pathlib import Path

from tests.redis import walk, walk_limits
from tests.redis.case import RedisCase

SECONDS = 3.0


class AnyOrder(RedisCase):
    async def test_after_each_step_every_job_is_in_its_one_place(self) -> None:
        seed = int.from_bytes(os.urandom(3), "big")  # An AssertionError of the walk names it.

        self.assertGreater(await walk.Walk(self.link, self.client, seed).run(SECONDS), 10)

    def test_every_script_of_a_queue_has_a_step(self) -> None:
        source = "".join(Path(str(module.__file__)).read_text(encoding="utf-8") for module in (walk, walk_limits))

        self.assertEqual(set(), {name for name in walk.WALKED if f'"{name}"' not in source})


if __name__ == "__main__":
    unittest.main()
