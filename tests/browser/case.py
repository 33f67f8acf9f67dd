"""What tests of the dashboard share: a Redis, a server, a worker and one browser for a class; a tab for each test."""

import unittest
from pathlib import Path
from typing import Any, ClassVar

from tests.browser.client import CHROMIUM, WHY_NOT, Chromium
from tests.browser.tab import Tab
from tests.private_redis import PrivateRedis
from tests.processes import Server, Worker

MODULES = "lib.handlers.email,tests.jobs_for_tests"
AUDIT = Path(__file__).with_name("audit.js").read_text(encoding="utf-8")


@unittest.skipUnless(CHROMIUM, WHY_NOT)
class BrowserCase(unittest.TestCase):
    """settings: of the server, beside those that each test has. modules: the job modules of server and worker."""

    settings: ClassVar[dict[str, object]] = {}
    modules: ClassVar[str] = MODULES
    redis: ClassVar[PrivateRedis]
    server: ClassVar[Server]
    worker: ClassVar[Worker]
    browser: ClassVar[Chromium]

    @classmethod
    def setUpClass(cls) -> None:
        cls.redis = cls.enterClassContext(PrivateRedis(aof="everysec"))
        cls.server = cls.enterClassContext(Server(cls.redis.url, JOB_MODULES=cls.modules, **cls.settings))
        queues = "default=4,email=4"
        cls.worker = cls.enterClassContext(Worker(cls.redis.url, JOB_MODULES=cls.modules, WORKER_QUEUES=queues))
        cls.browser = cls.enterClassContext(Chromium())

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
