"""Blocked jobs, when programs of the release before come beside this one, and when they are all that runs.

Jobs that wait for others are for this release alone: while a program of the release before runs, a request that makes
some is 503. Such jobs that are there already stay as they are: the release before shows and counts them, and answers
409 to every change. Its runners tell nobody that a job has ended; who waits for that job asks, once a worker of this
release runs again. What the release before deletes leaves its edges behind, and the doctor names them.
"""

import asyncio
import functools
import time
from pathlib import Path
from typing import Any

from lib.commands.audit import find_faults
from lib.queue.keys import RedisKeys
from lib.redis_link.link import open_link
from tests.faults.row import Row
from tests.faults.site import Site
from tests.processes import Server

NEVER_S = 36_000
ASKED_WITHIN_S = 45.0
"""A blocked job asks 15 s after it came."""


class BlockedJobs:
    """One pass. before: the folder of the release before."""

    def __init__(self, site: Site, row: Row, before: Path) -> None:
        self._site = site
        self._row = row
        self._before = before
        self._flag = site.folder / "go"
        self._newer = site.server()

    def run(self) -> None:
        began_s = time.monotonic()
        parent = self._post("work", until=str(self._flag))
        waiting = self._post("work", after=[parent])
        workflow, members = self._post_workflow()
        heir, other_heir = self._cancelled_with_their_parent()
        older, worker = self._site.server(root=self._before), self._site.worker(root=self._before)
        self._demand_refused(parent)
        self._demand_shown_and_not_changed(older, [waiting, members[1], workflow], heir)
        self._flag.touch()
        for job_id in (parent, members[0]):
            self._site.until(functools.partial(self._is_in, job_id, "completed"), "the older worker runs what is ready")
        for job_id in (waiting, members[1], workflow):
            self._row.demand(self._is_in(job_id, "blocked"), f"{job_id} is {self._state(job_id)}, untold")
        self._row.demand(worker.stop() == 0 and older.stop() == 0, "the older programs did not leave in peace")
        self._site.worker()
        for job_id in (waiting, members[1], workflow):
            is_done = functools.partial(self._is_in, job_id, "completed")
            self._site.until(is_done, f"{job_id} has asked, and is completed", ASKED_WITHIN_S)
        self._demand_named_and_gone(heir)
        self._demand_judged_anew(other_heir)
        self._row.recover_s.append(time.monotonic() - began_s)
        self._site.accepted += [parent, waiting, *members]
        self._row.runs = len(self._site.accepted)
        self._site.judge(self._row)

    # What is there before the older programs come.

    def _post(self, type_name: str, *, until: str = "", **options: Any) -> str:
        payload: dict[str, Any] = {"until": until} if until else {"seconds": 0}
        status, body, _ = self._newer.request("POST", "/api/jobs", self._site.body(type_name, options, **payload))
        assert status == 202, (status, body)
        return str(body["id"])

    def _workflow(self) -> dict[str, Any]:
        job = self._site.body("work", seconds=0)
        return {"queue": self._site.queue, "jobs": {"first": job, "then": {**job, "after": ["first"]}}}

    def _post_workflow(self) -> tuple[str, list[str]]:
        status, body, _ = self._newer.request("POST", "/api/workflows", self._workflow())
        assert status == 202, (status, body)
        return str(body["id"]), [str(job["id"]) for job in body["jobs"]]

    def _cancelled_with_their_parent(self) -> tuple[str, str]:
        parent = self._post("work", delay_s=NEVER_S)
        heirs = self._post("work", after=[parent]), self._post("work", after=[parent])
        assert self._newer.request("POST", f"/api/jobs/{parent}/cancel")[0] == 200
        for job_id in heirs:
            self._site.until(functools.partial(self._is_in, job_id, "cancelled"), "it is cancelled with its parent")
        return heirs

    # While they run.

    def _demand_refused(self, parent: str) -> None:
        job = self._site.body("work", seconds=0)
        for path, body in (
            ("/api/jobs", {**job, "after": [parent]}),
            ("/api/jobs", {**job, "then": [job]}),
            ("/api/workflows", self._workflow()),
        ):
            # A server asks once a second who is there.
            self._site.until(functools.partial(self._is_refused, path, body), "it is refused", 5.0, 0.2)
            answer = self._newer.request("POST", path, body)[1]
            self._row.demand(str(answer["type"]).endswith("upgrade-needed"), f"POST {path}: {answer}")

    def _is_refused(self, path: str, body: dict[str, Any]) -> bool:
        return self._newer.request("POST", path, body)[0] == 503

    def _demand_shown_and_not_changed(self, older: Server, blocked: list[str], heir: str) -> None:
        queue = older.request("GET", f"/api/queues/{self._site.queue}")[1]
        self._row.demand(queue["counts"]["blocked"] == len(blocked), f"the older server counts {queue['counts']}")
        for job_id in blocked:
            shown = older.request("GET", f"/api/jobs/{job_id}")[1]
            self._row.demand(shown["state"] == "blocked", f"the older server shows {shown}")
            self._demand(older, "POST", f"/api/jobs/{job_id}/cancel", 409)
            self._demand(older, "PATCH", f"/api/jobs/{job_id}", 409, {"priority": "high"})
            self._demand(older, "DELETE", f"/api/jobs/{job_id}", 409)
        self._demand(older, "POST", f"/api/jobs/{heir}/retry", 409)
        self._demand(older, "DELETE", f"/api/jobs/{heir}", 204)

    def _demand(self, server: Server, method: str, path: str, status: int, body: Any = None) -> None:
        got, answer, _ = server.request(method, path, body)
        self._row.demand(got == status, f"{method} {path} is {got}: {answer}")

    # When this release is alone again.

    def _demand_named_and_gone(self, heir: str) -> None:
        """The doctor names the edges that the older server left, and says how they go."""
        key = f"{self._site.base}parents:{heir}"
        found = self._audited()
        self._row.demand(len(found) == 1 and f"UNLINK {key}" in found[0], f"the doctor finds {found}")
        self._site.client.unlink(key)
        self._row.demand(not self._audited(), "the doctor still finds something")

    def _audited(self) -> list[str]:
        async def audit() -> list[str]:
            link = open_link(self._site.url, timeout_s=30)
            try:
                return await find_faults(link, RedisKeys("wb"))
            finally:
                await link.close()

        return asyncio.run(audit())

    def _demand_judged_anew(self, heir: str) -> None:
        """Run again while its parent is cancelled, it asks, and is cancelled again: it does not run."""
        self._demand(self._newer, "POST", f"/api/jobs/{heir}/retry", 200)
        self._site.until(functools.partial(self._is_in, heir, "cancelled"), "it is cancelled again", ASKED_WITHIN_S)
        begun = {run.job_id for run in self._site.executions()}
        self._row.demand(heir not in begun, f"{heir} ran, though its parent was cancelled")

    def _state(self, job_id: str) -> str:
        raw: Any = self._site.client.hget(f"{self._site.base}job:{job_id}", "state")
        return (raw or b"").decode()

    def _is_in(self, job_id: str, state: str) -> bool:
        return self._state(job_id) == state
