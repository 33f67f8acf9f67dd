"""What Redis knows of a runner that has registered, and not yet been shown by its supervisor."""

import unittest
from pathlib import Path
from random import Random

from lib import __version__
from lib.queue.bulkheads import Bulkheads
from lib.queue.fleet import Fleet, Program
from lib.queue.lease import Lease
from lib.settings.config import load
from lib.work.runner.registration import Registration
from tests.a_log import ALog
from tests.redis.case import RedisCase

RUNNER_ID = "jobs1.3.cccccccc"


class NewRunners(RedisCase):
    async def test_a_runner_is_known_by_its_version_as_soon_as_it_counts_as_alive(self) -> None:
        """Else it is taken for one older than 0.2.0, and jobs with a group are refused until its supervisor beats."""
        log, settings = ALog(self), load({}, Path("/nonexistent"), listens=False)
        lease = Lease(self.link, self.a_link(), self.keys, "q", RUNNER_ID, Random(1))
        about: dict[str, object] = {"concurrency": 1}
        registration = Registration(lambda: lease, about, self.queues, settings, Bulkheads(log), log)

        await registration.register()

        fleet = Fleet(self.link, self.keys)
        self.assertEqual([Program("runner", __version__, RUNNER_ID)], await fleet.programs())


if __name__ == "__main__":
    unittest.main()
