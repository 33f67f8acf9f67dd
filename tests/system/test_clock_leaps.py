"""Redis' clock set an hour ahead while a runner stands still: no job has run any longer for that."""

import os
import signal
import time
import unittest

from tests.faults.clocks import HOUR_S, Clock, NoCompiler
from tests.private_redis import PrivateRedis
from tests.system.worker_case import WorkerCase

STOPPED_S = 4.5


class Leap(WorkerCase):
    def a_redis(self) -> PrivateRedis:
        try:
            self.clock = Clock(self.folder)
        except NoCompiler:
            self.skipTest("needs a C compiler")
        return PrivateRedis(environment=self.clock.environment)

    def test_a_runner_that_stood_still_meanwhile_is_not_killed_for_a_job_with_time_left(self) -> None:
        worker = self.ready()
        flag = self.flag()
        job_id = self.post("sleep", {"timeout_s": 60}, until=str(flag))
        self.until_begun(job_id)
        (runner,) = worker.runner_pids()

        os.kill(runner, signal.SIGSTOP)
        self.clock.jump(HOUR_S)
        time.sleep(STOPPED_S)  # What is tested is that so long a silence convicts nobody: there is nothing to wait for.
        os.kill(runner, signal.SIGCONT)
        flag.touch()

        self.until_all([job_id], "completed")
        self.assertEqual((1, []), (len(self.executions(job_id)), worker.logged("runner.killed")))


if __name__ == "__main__":
    unittest.main()
