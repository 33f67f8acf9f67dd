"""prod/ADOPTING.md: each block of code is run; what it calls right works, and what it calls wrong goes wrong."""

import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

from lib.jobs import registry
from lib.jobs.registry import Handler, Snooze
from lib.testing import JobContext, run
from prod.local.processes import free_port
from tests.private_redis import PrivateRedis
from tests.processes import LIMIT_S, ROOT, Server, Worker
from tests.waiting import printed_until

PAGE = (ROOT / "prod" / "ADOPTING.md").read_text(encoding="utf-8")
MODULES = "lib.handlers.email,visits,charges,shop_jobs,pushed,mailings,imports"
TABLES = "CREATE TABLE visits (page); CREATE TABLE charges (id PRIMARY KEY, charged_order)"
# As Flask and SQLAlchemy are, as far as the page uses them: a session belongs to a context, and dies with it.
SHOP = """\
import contextvars
import threading

_session = contextvars.ContextVar("session")


class User:
    email = "test@gmail.com"
    posts = ["first", "second"]


class Session:
    def __init__(self):
        self.thread = threading.get_ident()
        self.is_closed = False

    def _look(self):
        if self.is_closed or self.thread != threading.get_ident():
            raise RuntimeError("this session is closed, or another thread's")

    def get(self, kind, key):
        self._look()
        return kind() if key == 7 else None

    def commit(self):
        self._look()


class AppContext:
    def push(self):
        self.session = Session()
        self.before = _session.set(self.session)

    def pop(self):
        self.session.is_closed = True
        _session.reset(self.before)

    def __enter__(self):
        self.push()

    def __exit__(self, *_):
        self.pop()


class App:
    def app_context(self):
        return AppContext()


class Db:
    @property
    def session(self):
        return _session.get()


app, db = App(), Db()
"""
INTERPRETER = """\
#!/bin/sh
if [ "$2" = pip ]; then echo "$@" >> "{folder}/pip"; else exec "{python}" "$@"; fi
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def block(language: str, words: str) -> str:
    """The one that holds these words."""
    (found,) = [text for text in blocks(language) if words in text]
    return found


class Adopting(unittest.TestCase):
    folder: ClassVar[Path]
    redis: ClassVar[PrivateRedis]
    server: ClassVar[Server]
    worker: ClassVar[Worker]

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="waybill-adopting-"))).resolve()
        for text in blocks("python"):
            (cls.folder / text.partition("\n")[0].removeprefix("# ")).write_text(text, encoding="utf-8")
        (cls.folder / "shop.py").write_text(SHOP, encoding="utf-8")
        with closing(sqlite3.connect(cls.folder / "shop.db")) as db:
            db.executescript(TABLES)
        cls.redis = cls.enterClassContext(PrivateRedis())
        os.environ["PYTHONPATH"] = str(cls.folder)
        cls.addClassCleanup(os.environ.pop, "PYTHONPATH")
        cls.server = cls.enterClassContext(Server(cls.redis.url, JOB_MODULES=MODULES))
        cls.worker = cls.enterClassContext(
            Worker(cls.redis.url, JOB_MODULES=MODULES, WORKER_QUEUES="email=20,default=20")
        )

    def pasted(self, text: str) -> str:
        """What a block of shell prints."""
        text = text.replace("http://127.0.0.1:8000", self.server.url)
        text = text.replace("/srv/waybill/.venv/bin/python", sys.executable).replace("/srv/waybill", str(ROOT))
        text = text.replace("/srv/shop", str(self.folder))
        done = subprocess.run(["sh", "-c", text], cwd=self.folder, capture_output=True, text=True, timeout=LIMIT_S)
        self.assertEqual(0, done.returncode, (text, done.stdout, done.stderr))
        return done.stdout + done.stderr

    def done(self, type_name: str, payload: dict[str, Any]) -> dict[str, Any]:
        """The job, once it has ended."""
        body = {"type": type_name, "payload": payload}
        answer = self.server.request("POST", "/api/jobs", body, prefer="wait=20")[1]
        job: dict[str, Any] = answer.get("job", answer)  # One that failed stands in its problem.
        return job

    def rows(self, query: str) -> list[Any]:
        with closing(sqlite3.connect(self.folder / "shop.db")) as db:
            return [row[0] for row in db.execute(query)]

    def handler(self, module: str, type_name: str) -> Handler:
        self.enterContext(importable(self.folder))
        found = registry.load([module]).get(type_name)
        assert found is not None
        return found.handler

    def test_every_block_is_one_that_a_test_here_runs(self) -> None:
        self.assertEqual(
            [
                *("charges.py", "imports.py", "mailings.py", "pushed.py", "shop_jobs.py", "test_shop_jobs.py"),
                "visits.py",
            ],
            sorted(text.partition("\n")[0].removeprefix("# ") for text in blocks("python")),
        )
        self.assertEqual(6, len(blocks("sh")))
        self.assertEqual(set(), set(re.findall(r"^```(\w+)$", PAGE, re.MULTILINE)) - {"python", "sh"})

    def test_a_connection_of_all_jobs_fails_and_one_for_each_holds(self) -> None:
        wrong = self.done("visit-wrong", {"page": "wrong"})
        batch = [{"type": "visit", "payload": {"page": "right"}} for _ in range(20)]
        answers = self.server.request("POST", "/api/jobs/batch", batch)[1]["items"]
        ended = {self.server.request("GET", f"/api/jobs/{one['id']}?wait=20")[1]["state"] for one in answers}

        self.assertEqual(("dead", "ProgrammingError"), (wrong["state"], wrong["error"]["type"]))
        self.assertEqual({"completed"}, ended)
        self.assertEqual([20], self.rows("SELECT count(*) FROM visits WHERE page = 'right'"))

    def test_a_second_attempt_does_it_again_unless_it_can_tell(self) -> None:
        for name, times in (("charge-wrong", 2), ("charge", 1)):
            handler, ctx = self.handler("charges", name), JobContext(job_id=f"default-{times:032}")

            for ctx.attempt in (1, 2):
                run(handler, {"order": times}, ctx)

            self.assertEqual([times], self.rows(f"SELECT count(*) FROM charges WHERE charged_order = {times}"))
            self.assertEqual(times, len(ctx.enqueued))

    def test_a_long_job_makes_way_and_goes_on_where_it_was(self) -> None:
        handler, payload = self.handler("mailings", "mail-all"), {"to": ["a@example.com", "b@example.com"]}
        leaving, next_one = JobContext(stopping=True), JobContext(last_checkpoint=1)

        with self.assertRaises(Snooze):
            run(handler, payload, leaving)
        result = run(handler, payload, next_one)

        self.assertEqual(([1], [2], {"mails": 2}), (leaving.checkpoints, next_one.checkpoints, result))
        self.assertEqual(["mail-1", "mail-2"], [one.once for ctx in (leaving, next_one) for one in ctx.enqueued])

    def test_a_workflow_grows_and_sums_up_what_its_jobs_have_returned(self) -> None:
        workflow_id = self.done("import", {"month": "2026-11"})["result"]

        workflow = self.server.request("GET", f"/api/workflows/{workflow_id}?wait=20")[1]

        jobs = {one["name"]: one for one in workflow["jobs"]}
        self.assertEqual(["fetch", "split", "page-1", "page-2", "page-3", "sum"], list(jobs))
        self.assertEqual(("completed", "dead"), (workflow["state"], jobs["page-3"]["state"]))
        total = self.server.request("GET", f"/api/jobs/{jobs['sum']['id']}")[1]
        self.assertEqual({"words": 300}, total["result"])

    @unittest.skipUnless(shutil.which("curl"), "curl is not installed here")
    def test_unique_makes_two_jobs_of_what_an_idempotency_key_makes_one_of(self) -> None:
        for words, jobs in (("# WRONG", 2), ("# RIGHT", 1)):
            said = [self.pasted(block("sh", words)) for _ in range(2)]

            self.assertEqual(2, sum('"state":"completed"' in text for text in said), said)
            self.assertEqual(jobs, len({_job_id(text) for text in said}))

    @unittest.skipUnless(shutil.which("curl"), "curl is not installed here")
    def test_a_schedule_that_is_put_twice_is_one_and_its_job_runs(self) -> None:
        first, again = [json.loads(self.pasted(block("sh", "visit-hourly"))) for _ in range(2)]

        self.assertEqual((first["next_runs"], first["version"]), (again["next_runs"], again["version"]))
        listed = self.server.request("GET", "/api/schedules?owner=shop")[1]["items"]
        self.assertEqual(["visit-hourly"], [one["name"] for one in listed])
        job = self.server.request("POST", "/api/schedules/visit-hourly/run")[1]
        self.assertEqual("completed", self.server.request("GET", f"/api/jobs/{job['id']}?wait=20")[1]["state"])

    @unittest.skipUnless(shutil.which("curl"), "curl is not installed here")
    def test_all_dead_are_tried_again(self) -> None:
        dead = [self.done("export", {"user_id": 8})["id"] for _ in range(2)]

        said = self.pasted(block("sh", "redrive"))

        self.assertLessEqual(2, json.loads(said)["redriven"], said)
        for job_id in dead:
            self.assertEqual(2, len(self.server.request("GET", f"/api/jobs/{job_id}?wait=20")[1]["history"]))

    def test_each_job_has_a_session_of_its_own(self) -> None:
        batch = [{"type": "export", "payload": {"user_id": 7}} for _ in range(20)]
        answers = self.server.request("POST", "/api/jobs/batch", batch)[1]["items"]

        ended = [self.server.request("GET", f"/api/jobs/{one['id']}?wait=20")[1] for one in answers]
        wrong = self.done("export-wrong", {"user_id": 7})

        self.assertIn("another thread's", wrong["error"]["message"])
        self.assertEqual([{"posts": 2}] * 20, [job["result"] for job in ended], [job["error"] for job in ended])

    def test_types_show_what_the_page_says_of_them(self) -> None:
        types = {one["name"]: one for one in self.server.request("GET", "/api/types")[1]["items"]}

        self.assertEqual("Write down all posts of a user.", types["export"]["description"])
        form = types["export"]["payload_schema"]["properties"]["form"]
        self.assertEqual({"type": "string", "description": "csv or json", "default": "csv"}, form)

    def test_the_unit_test_of_the_handler_passes(self) -> None:
        self.assertIn("Ran 3 tests", self.pasted(block("sh", "-m unittest")))

    @unittest.skipUnless(shutil.which("make"), "make is not installed here")
    def test_make_run_installs_what_the_jobs_import_and_runs_them(self) -> None:
        here = self.folder / "waybill"
        for name in ("lib", "prod"):
            shutil.copytree(ROOT / name, here / name)
        for name in ("Makefile", "openapi.yaml", "requirements.txt", "server.py", "worker.py"):
            shutil.copy(ROOT / name, here)
        python = here / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(INTERPRETER.format(folder=here, python=sys.executable), encoding="utf-8")
        python.chmod(0o755)
        settings = {"REDIS_URL": self.redis.url, "PORT": str(free_port()), "KEY_PREFIX": "other", "SMTP_URL": ""}

        process = subprocess.Popen(
            ["sh", "-c", block("sh", "make run").replace("/srv/shop", str(self.folder))],
            cwd=here,
            env={**os.environ, **settings, "LOG_DIR": str(here / "logs"), "OUTBOX_DIR": str(here / "outbox")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.addCleanup(process.communicate, timeout=60)
        self.addCleanup(_interrupt, process)
        printed_until(process, "Ctrl-C stops it")

        installed = (here / "pip").read_text(encoding="utf-8")
        self.assertIn(f"-r {here}/requirements.txt -r {here}/requirements-jobs.txt", installed)
        self.assertEqual(f"-r {self.folder}/requirements.txt\n", (here / "requirements-jobs.txt").read_text())


def _interrupt(process: "subprocess.Popen[str]") -> None:
    """As Ctrl-C does, to all of the foreground group."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)


def _job_id(text: str) -> str:
    (found,) = re.findall(r'"id":"([^"]+)"', text)
    return str(found)


@contextlib.contextmanager
def importable(folder: Path) -> Iterator[None]:
    """Whose modules can be imported meanwhile."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in ("visits", "charges", "mailings"):
            sys.modules.pop(name, None)


if __name__ == "__main__":
    unittest.main()
