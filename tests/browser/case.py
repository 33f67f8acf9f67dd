"""What tests of the dashboard share: a Redis, a server, a worker and one browser for a class; a tab for each test."""

import json
import subprocess
import unittest
from pathlib import Path
from typing import Any, ClassVar

from tests.browser.client import CHROMIUM, WHY_NOT, Chromium
from tests.browser.tab import Tab
from tests.private_redis import PrivateRedis
from tests.processes import LIMIT_S, Server, Worker

MODULES = "lib.handlers.email,tests.jobs_for_tests"
AUDIT = Path(__file__).with_name("audit.js").read_text(encoding="utf-8")


@unittest.skipUnless(CHROMIUM, WHY_NOT)
class BrowserCase(unittest.TestCase):
    """settings, worker_settings: of server and worker, beside those that each test has. modules: their job modules.
    has_worker: whether a worker runs from the start."""

    settings: ClassVar[dict[str, object]] = {}
    worker_settings: ClassVar[dict[str, object]] = {}
    has_worker: ClassVar[bool] = True
    modules: ClassVar[str] = MODULES
    redis: ClassVar[PrivateRedis]
    server: ClassVar[Server]
    worker: ClassVar[Worker]
    browser: ClassVar[Chromium]

    @classmethod
    def setUpClass(cls) -> None:
        cls.redis = cls.enterClassContext(PrivateRedis(aof="everysec"))
        cls.server = cls.enterClassContext(Server(cls.redis.url, JOB_MODULES=cls.modules, **cls.settings))
        if cls.has_worker:
            cls.worker = cls.enterClassContext(cls.new_worker())
        cls.browser = cls.enterClassContext(Chromium())

    @classmethod
    def new_worker(cls) -> Worker:
        queues = "default=4,email=4"
        return Worker(cls.redis.url, JOB_MODULES=cls.modules, WORKER_QUEUES=queues, **cls.worker_settings)

    def opened(self, hash: str = "", **how: Any) -> Tab:
        """A tab that shows this address of the dashboard, closed at the test's end."""
        tab = self.browser.tab(**how)
        self.addCleanup(tab.close)
        tab.open(f"{self.server.url}/{hash}")
        return tab

    def post(self, type: str, payload: Any, **fields: Any) -> str:
        """Post a job. Returns its id."""
        headers = {"authorization": f"Bearer {fields.pop('key')}"} if "key" in fields else {}
        status, job, _ = self.server.request(
            "POST", "/api/jobs", {"type": type, "payload": payload, **fields}, **headers
        )
        assert status == 202, job
        return str(job["id"])

    def open_streams(self) -> set[str]:
        """The ids of the requests whose streams the server has begun and not ended. A server that was killed has ended
        its own."""
        streams: set[str] = set()
        for line in self.server.logged():
            if line["event"] == "server.started":
                streams.clear()
            elif line["event"] == "request.started" and "/api/events" in line["msg"]:
                streams.add(line["request_id"])
            elif line["event"] == "request.ended":
                streams.discard(line["request_id"])
        return streams

    def fit(self, tab: Tab) -> None:
        """What is painted can be read, named and touched, and the page has no complaint."""
        self.assertEqual({"contrast": [], "names": [], "overflow": [], "targets": []}, tab.js(AUDIT))
        self.assertEqual([], tab.complaints)

    def pasted(self, tab: Tab) -> dict[str, Any]:
        """What the curl that the page shows answers, run by a shell; {} for no body."""
        words = tab.text(".curl").replace("curl -i", "curl -sS --fail-with-body")
        done = subprocess.run(["sh", "-c", words], capture_output=True, text=True, timeout=LIMIT_S, check=True)
        answer: dict[str, Any] = json.loads(done.stdout or "{}")
        return answer

    def type_into(self, tab: Tab, selector: str, text: str) -> None:
        """Put a text in the place of what the field has."""
        one = f"document.querySelector({json.dumps(selector)})"
        tab.js(f"{one}.focus(), {one}.select()")
        tab.type(text) if text else tab.press("Delete")
