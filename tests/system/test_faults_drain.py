"""A drain that begins while a claim is on its way: what that brings is neither lost nor begun twice."""

import hashlib
import os
import signal
import threading
import time
import unittest

from lib.queue.scripts import text_of
from tests.faults.runners import Runners
from tests.faults.site import Site
from tests.proxy import PASS, Proxy, Request, Verdict

CLAIM = hashlib.sha1(text_of("claim").encode()).hexdigest().encode()


class Drain(unittest.TestCase):
    def test_what_a_claim_brings_after_the_drain_began_is_run_to_its_end(self) -> None:
        def tell(worker: Runners) -> None:
            worker.signal(signal.SIGTERM)
            worker.until(lambda: "draining" in worker.said(), "the drain begins")

        self.drain_during_a_claim(tell)

    def test_what_a_claim_brings_after_the_supervisor_died_is_run_to_its_end(self) -> None:
        def kill(worker: Runners) -> None:
            os.kill(worker.pid, signal.SIGKILL)
            worker.until(lambda: "Supervisor gone" in worker.said(), "the runner knows")

        self.drain_during_a_claim(kill)

    def drain_during_a_claim(self, begin: object) -> None:
        assert callable(begin)
        with Site() as site, Proxy(site.url) as proxy:
            worker = site.worker(url=proxy.url, WORKER_QUEUES="default=2", LOG_LEVEL="INFO")
            is_armed = threading.Event()
            has_begun = threading.Event()

            def hold() -> None:
                begin(worker)
                # The reply is written when the runner has been told: a tick of its loop later, it has stopped claiming.
                threading.Event().wait(0.2)
                has_begun.set()

            def judge(request: Request) -> Verdict:
                if request.words[:2] != (b"EVALSHA", CLAIM) or not is_armed.is_set():
                    return PASS
                is_armed.clear()
                return Verdict("pass", hold)

            proxy.judge = judge
            # The claims with which a runner starts bring nothing: it blocks then, until there is a job.
            site.until(lambda: site.client.info("clients")["blocked_clients"], "the runner is idle")
            is_armed.set()
            site.put(1, "work", seconds=0.4)

            site.until(has_begun.is_set, "the claim was held")
            site.until(lambda: not worker.runner_pids(), "the runner has left")

            (job_id,) = site.accepted
            runs = [run for run in site.executions() if run.job_id == job_id]
            self.assertEqual("completed", site.records([job_id])[job_id]["state"])
            self.assertEqual([True], [run.ended_ns is not None for run in runs])


class Signals(unittest.TestCase):
    def test_signals_until_the_very_end_do_not_become_the_exit_code(self) -> None:
        with Site() as site:
            for _ in range(3):
                worker = site.worker()
                assert worker.process is not None

                while worker.process.poll() is None:
                    worker.process.send_signal(signal.SIGTERM)
                    time.sleep(0.0005)  # As fast as they come: what is tested is a moment of a few of these.

                self.assertEqual(0, worker.process.returncode)


if __name__ == "__main__":
    unittest.main()
