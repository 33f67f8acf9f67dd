"""A redrive whose servers are killed in the middle of it, and that is sent again under its keys until it is answered.

The jobs die again while the redrive goes on: each is to run once more, and no job twice more or not at all.
"""

import contextlib
import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.faults.row import Row
from tests.faults.site import Site
from tests.processes import Server

A_CALL = 1000


def run(*, is_quick: bool) -> Iterator[Row]:
    count, kills = (4_000, 6) if is_quick else (40_000, 60)
    row = Row(f"{count:,} dead jobs redriven, {kills} servers killed", runs=count)
    with Site() as site:
        site.worker(WORKER_QUEUES="default=20", WORKER_PROCESSES=2)
        ids = site.put(count, "stubborn", until=str(site.folder / "never"))
        site.until(lambda: _dead(site) == count, "all are dead", 300, 0.1)
        redrive = _Redrive(site, row, kills)
        redrive.go_on_until_all_are_taken()
        site.until(lambda: _dead(site) == count, "all are dead again", 300, 0.1)
        runs = Counter(run.job_id for run in site.executions())
        times = Counter(runs[job_id] for job_id in ids)
        row.demand(times == {2: count}, f"executions of a job -> jobs: {dict(times)}")
        row.demand(redrive.kills_left == 0, f"{redrive.kills_left} servers were not killed: it was too quick for that")
        row.lost, row.twice = times[1], sum(jobs for times_run, jobs in times.items() if times_run > 2)
        row.note = f"{redrive.calls} calls of {A_CALL}"
        site.ledger.unlink()
        site.ledger.touch()
        site.judge(row, expected="dead")
    yield row


def _dead(site: Site) -> int:
    found: Any = site.client.zcard(f"{site.base}dead")
    return int(found)


class _Redrive:
    """The calls, one behind the other. kills_left: how many servers are still to be killed."""

    def __init__(self, site: Site, row: Row, kills_left: int) -> None:
        self._site = site
        self._row = row
        self._server = site.server()
        self.kills_left = kills_left
        self.calls = 0

    def go_on_until_all_are_taken(self) -> None:
        cursor = None
        while cursor or not self.calls:
            body = {"limit": A_CALL, **({"cursor": cursor} if cursor else {})}
            cursor = self._answer_to(body, key=f"redrive-{self.calls}")["next_cursor"]
            self.calls += 1

    def _answer_to(self, body: dict[str, Any], key: str) -> Any:
        """The answer to this call. While servers are to be killed, one or two die before it is heard."""
        for _ in range(min(self.kills_left, 2)):
            began_s = time.monotonic()
            answer = self._with_a_kill(body, key)
            self._server = self._site.server()
            self._row.recover_s.append(time.monotonic() - began_s)
            if answer is not None:
                return answer
        status, answer, _ = self._server.request("POST", "/api/queues/default/redrive", body, idempotency_key=key)
        assert status == 200, answer
        return answer

    def _with_a_kill(self, body: dict[str, Any], key: str) -> Any:
        """Send the call, and kill the server once it has begun to change jobs. None where it was not answered."""
        heard: list[Any] = []
        sender = threading.Thread(target=_send, args=(self._server, body, key, heard))
        dead = _dead(self._site)
        sender.start()
        while sender.is_alive() and _dead(self._site) >= dead:
            time.sleep(0.001)
        self._server.kill()
        self.kills_left -= 1
        sender.join()
        return heard[0] if heard else None


def _send(server: Server, body: dict[str, Any], key: str, heard: list[Any]) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        status, answer, _ = server.request("POST", "/api/queues/default/redrive", body, idempotency_key=key)
        if status == 200:
            heard.append(answer)
