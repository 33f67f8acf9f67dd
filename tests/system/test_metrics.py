"""GET /metrics of a real server and worker: exact, whole over all processes, and there when Redis is not."""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import unittest
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from tests.private_redis import PrivateRedis
from tests.processes import LIMIT_S, Server, Worker

BODY = b'{"type":"noop","payload":{}}'

SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
HTTP = "waybill_http_requests_total"
# As a scraper asks that wants no more than it can read.
ACCEPT = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


def scrape(server: Server) -> str:
    status, body, headers = server.request("GET", "/metrics", accept=ACCEPT)
    assert status == 200, body
    assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return bytes(body).decode()


def samples(text: str) -> dict[str, float]:
    """`name{labels}` -> value. A sample that stands there twice is a fault."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = SAMPLE.match(line)
        assert match and line.rpartition(" ")[0] not in found, line
        found[line.rpartition(" ")[0]] = float(match[3])
    return found


def requests(text: str, route: str) -> Counter[str]:
    """How many requests of a route, by method and status."""
    found: Counter[str] = Counter()
    for name, value in samples(text).items():
        match = re.fullmatch(HTTP + r'\{method="(\w+)",route="(.*)",status="(\d+)"\}', name)
        if match and match[2] == route:
            found[f"{match[1]} {match[3]}"] += int(value)
    return found


class Metrics(unittest.TestCase):
    def setUp(self) -> None:
        self.redis = PrivateRedis()
        self.addCleanup(self.redis.close)
        self.redis.start()

    def server(self, **settings: object) -> Server:
        server = Server(self.redis.url, **settings)
        self.addCleanup(server.close)
        server.start()
        server.wait_until_ready()
        return server

    def test_jobs_are_counted_by_queue_and_type_and_their_times_measured(self) -> None:
        server = self.server()
        with Worker(self.redis.url, WORKER_QUEUES="default=5") as worker:
            for _ in range(20):
                server.request("POST", "/api/jobs", {"type": "noop", "payload": {}})
            server.request("POST", "/api/jobs", {"type": "no_such_type", "payload": {}})
            of_noop = 'queue="default",type="noop"'
            server.until(
                lambda: samples(scrape(server)).get(f"waybill_job_duration_seconds_count{{{of_noop}}}") == 20,
                "20 jobs measured",
            )
            found = samples(scrape(server))
            worker.stop()

        self.assertEqual(20, found[f"waybill_jobs_enqueued_total{{{of_noop}}}"])
        self.assertEqual(20, found[f"waybill_jobs_completed_total{{{of_noop}}}"])
        self.assertEqual(20, found[f'waybill_job_wait_seconds_bucket{{{of_noop},le="+Inf"}}'])
        self.assertEqual(20, found['waybill_jobs{queue="default",state="completed"}'])
        self.assertEqual((1, 1), (found["waybill_workers"], found["waybill_redis_up"]))
        self.assertEqual(0, samples(scrape(server))["waybill_workers"])

    def test_a_queue_whose_keys_somebody_broke_costs_itself_its_row_and_the_others_nothing(self) -> None:
        server = self.server()
        server.request("POST", "/api/jobs", {"type": "noop", "payload": {}})
        self.redis.client.sadd("wb:queues", "broken")
        self.redis.client.set("wb:{broken}:all", "no sorted set")
        self.redis.client.set("wb:{broken}:workers", "no hash")

        _, queues, _ = server.request("GET", "/api/queues")
        workers_status, _, _ = server.request("GET", "/api/workers")
        found = samples(scrape(server))

        self.assertEqual(["default"], [queue["name"] for queue in queues["items"]])
        (warning,) = queues["warnings"]
        self.assertRegex(warning, "^broken can't be read: .*WRONGTYPE")
        self.assertEqual(200, workers_status)
        self.assertEqual(1, found['waybill_jobs{queue="default",state="ready"}'])
        self.assertEqual(1, found["waybill_queues_unreadable"])

    def test_what_a_runner_measured_last_is_there_when_it_has_left(self) -> None:
        server = self.server()
        with Worker(self.redis.url, WORKER_QUEUES="default=5") as worker:
            server.request("POST", "/api/jobs", {"type": "noop", "payload": {}})
            worker.wait_for("job.finished")
            worker.stop()

        self.assertEqual(1, samples(scrape(server))['waybill_job_duration_seconds_count{queue="default",type="noop"}'])

    def test_routes_and_methods_are_the_tables_whatever_is_asked_for(self) -> None:
        server = self.server()
        for method, path in (
            ("GET", "/api/jobs/default-" + "0" * 32),
            ("GET", "/api/jobs/default-" + "1" * 32),
            ("DELETE", "/livez"),
            ("GET", "/hidden?token=s3cret"),
            ("BREW", "/pot"),
            ("HEAD", "/metrics"),
        ):
            server.request(method, path)

        text = scrape(server)

        self.assertEqual({"GET 404": 2}, requests(text, "/api/jobs/{job_id}"))
        self.assertEqual({"DELETE 405": 1}, requests(text, "/livez"))
        self.assertEqual({"GET 404": 1, "other 501": 1}, requests(text, "unknown"))
        self.assertEqual({"HEAD 200": 1}, requests(text, "/metrics"))
        for word in ("0000", "hidden", "s3cret", "BREW", "pot"):
            self.assertNotIn(word, text)

    def test_promtool_has_no_complaint(self) -> None:
        promtool = shutil.which("promtool")
        if promtool is None:
            self.skipTest("promtool is not installed here")
        server = self.server()
        with Worker(self.redis.url, WORKER_QUEUES="default=5"):
            server.request("POST", "/api/jobs", {"type": "noop", "payload": {}})
            server.until(lambda: "waybill_job_wait_seconds_count" in scrape(server), "a job measured")

            said = subprocess.run(
                [promtool, "check", "metrics"], input=scrape(server), capture_output=True, text=True, check=False
            )

        self.assertEqual((0, "", ""), (said.returncode, said.stdout, said.stderr))

    def test_without_redis_the_rest_is_told(self) -> None:
        server = self.server()
        server.request("POST", "/api/jobs", {"type": "noop", "payload": {}})
        self.redis.kill()

        text = scrape(server)

        self.assertEqual(0, samples(text)["waybill_redis_up"])
        self.assertEqual({"POST 202": 1}, requests(text, "/api/jobs"))
        self.assertNotIn("waybill_jobs", text)

    def test_two_processes_count_together_and_go_on_after_one_is_killed(self) -> None:
        server = self.server(SERVER_PROCESSES=2)
        accepted: list[str] = []
        total = 1200

        def post(count: int) -> None:
            parts = urlsplit(server.url)
            link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=LIMIT_S)
            for _ in range(count):
                link.request("POST", "/api/jobs", BODY, {"Content-Type": "application/json"})
                reply = link.getresponse()
                accepted.append(json.loads(reply.read())["id"])
            link.close()

        together(post, total)
        self.assertEqual({"POST 202": total}, requests(scrape(server), "/api/jobs"))
        os.kill(int(server.logged("process.started")[0]["child"]), signal.SIGKILL)
        server.wait_for("process.started", 3)
        server.wait_until_ready()
        together(post, total)

        self.assertEqual({"POST 202": 2 * total}, requests(scrape(server), "/api/jobs"))
        self.assertEqual(2 * total, len(set(accepted)))
        self.assertEqual(2 * total, samples(scrape(server))['waybill_jobs_enqueued_total{queue="default",type="noop"}'])


def together(post: Callable[[int], None], total: int, threads: int = 6) -> None:
    """`total` posts, by several at once."""
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(post, total // threads) for _ in range(threads)]:
            done.result()


if __name__ == "__main__":
    unittest.main()
