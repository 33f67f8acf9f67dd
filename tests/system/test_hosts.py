"""A receiver of webhooks that is down, from end to end: it rests, GET /api/hosts tells of it, and then all are sent."""

import re
import socket
import unittest
from typing import Any

from lib.jobs.webhook_outcomes import OUTCOMES
from tests.faults.hosts import Receiver
from tests.processes import Server
from tests.scripted_server import answer
from tests.system.test_metrics import scrape
from tests.system.test_webhooks import AT_ONCE, WebhookCase


class Hosts(WebhookCase):
    def setUp(self) -> None:
        super().setUp()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}/hook?token=hush"

    def shown(self, server: Server) -> dict[str, Any]:
        """How the host is, as GET /api/hosts says it."""
        _, page, _ = server.request("GET", "/api/hosts")
        found: dict[str, Any] = next(one for one in page["items"] if one["host"] == self.host)
        return found

    def test_a_host_that_is_down_rests_and_all_are_sent_once_it_is_back(self) -> None:
        server, worker = self.server(), self.ready()
        ids = [self.hook(self.url, AT_ONCE) for _ in range(20)]
        self.until(lambda: self.shown(server)["strikes"] >= 2, "the host has strikes")

        down = self.shown(server)
        waiting = next(one for one in ids if self.record(one).state == "ready")
        explained = server.request("GET", f"/api/jobs/{waiting}/explain")[1]
        with Receiver(self.port) as receiver:
            self.until_all(ids, "completed")

        self.assertEqual(set(ids), receiver.came_s.keys())
        self.assertEqual("strikes", down["reason"])
        self.assertRegex(down["last_failure"]["error"], f"^LinkLost: 127.0.0.1 .*:{self.port}.: Connection refused$")
        self.assertNotIn("hush", str(down))
        self.assertIn(explained["reason"], ("held", "concurrency_limited"))
        self.assertIn(f"in a row, the last time at {down['last_failure']['at'][:17]}", explained["detail"])
        retried = worker.logged("job.retried")
        self.assertIn(f", and the group {self.host} rests for its strikes: ", retried[0]["msg"])
        up = self.shown(server)
        self.assertEqual((0, None, None), (up["strikes"], up["last_failure"], up["reason"]))

    def test_the_metrics_count_requests_by_what_became_of_them(self) -> None:
        server = self.server()
        self.assertEqual(dict.fromkeys(OUTCOMES, 0), self.counted(server))
        scripted = self.receiver(answer(200), answer(500), answer(200), answer(410))
        self.ready()

        for options, state in (({}, "completed"), (AT_ONCE, "completed"), ({}, "dead")):
            self.until_all([self.hook(scripted.url, options)], state)
        self.until_all([self.hook(self.url, {"max_attempts": 1}), self.hook("http://10.0.0.1/")], "dead")

        expected = {"taken": 2, "refused": 1, "refused_for_good": 1, "no_answer": 1, "not_allowed": 1}
        self.until(lambda: self.counted(server) == expected, "all are counted")

    def counted(self, server: Server) -> dict[str, int]:
        """outcome -> count, as /metrics has it."""
        text = scrape(server)
        found = re.findall(r'^waybill_webhooks_total\{queue="webhook",outcome="(\w+)"\} (\d+)$', text, re.MULTILINE)
        return {outcome: int(count) for outcome, count in found}

    def test_the_queue_begins_with_ten_at_once_for_a_host_and_a_change_stays(self) -> None:
        server = self.server()
        body = {"type": "webhook", "payload": {"url": self.url}, "delay_s": 600}
        self.assertEqual(202, server.request("POST", "/api/jobs", body)[0])

        begun = server.request("GET", "/api/queues/webhook")[1]["groups"]
        changed = server.request("PATCH", "/api/queues/webhook", {"groups": {"concurrency": None}})[1]["groups"]
        server.request("POST", "/api/jobs", body)
        self.ready()

        self.assertEqual((10, None), (begun["concurrency"], changed["concurrency"]))
        self.assertIsNone(server.request("GET", "/api/queues/webhook")[1]["groups"]["concurrency"])

    def test_a_worker_has_a_queue_without_jobs_begin_so_for_schedules(self) -> None:
        self.ready()

        begun = self.server().request("GET", "/api/queues/webhook")[1]["groups"]

        self.assertEqual(10, begun["concurrency"])


if __name__ == "__main__":
    unittest.main()
