"""#/jobs/<id>: a job that is dead, waits, runs or is gone, with its waterfall, log, payload and what came of it. And
what a person does to jobs, there and in lists, and that its curl does the same."""

import json
import re
import subprocess
import unittest
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from tests.browser.case import AUDIT, BrowserCase
from tests.browser.held import Held, held
from tests.browser.tab import Tab
from tests.waiting import wait_until

HOSTILE = "<img src=x onerror=\"document.title='owned'\"></script>\u202e"


class JobPage(BrowserCase):
    worker_settings: ClassVar[dict[str, object]] = {"UNWIND_S": 60}  # A job that does not stop is seen for long enough.

    def shown(self, job_id: str, words: str = "") -> Tab:
        tab = self.opened(f"#/jobs/{job_id}")
        tab.wait_for(".verdict", words)
        return tab

    def job(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = self.server.request("GET", f"/api/jobs/{job_id}")[1]
        return job

    def until(self, job_id: str, state: str) -> None:
        wait_until(lambda: self.job(job_id)["state"] == state, f"the job is {state}")

    def test_a_dead_job_tells_its_attempts_tracebacks_and_spans(self) -> None:
        backoff = {"base_s": 0.05, "cap_s": 0.1}
        job_id = self.post("fail", {"text": "the disk is full"}, max_attempts=3, backoff=backoff)
        self.until(job_id, "dead")
        self.addCleanup(self.server.request, "DELETE", f"/api/jobs/{job_id}")  # Another test counts the dead.
        tab = self.shown(job_id, "Dead after 3 of 3 attempts: ValueError.")
        tab.wait_for(".fall", "Attempt 3")

        request_id = self.job(job_id)["request_id"]
        trace = self.server.request("GET", f"/api/requests/{quote(request_id)}")[1]
        shown = tab.js("[...document.querySelectorAll('.fall .row')].map(row => row.dataset.span)")
        self.assertEqual(sorted(span["id"] for span in trace["spans"]), sorted(shown))
        self.assertEqual(3, tab.count(".tries tbody tr"))
        self.assertEqual(3, tab.count(".stackbox"))
        # What went wrong stands before how it went.
        self.assertIn("jobs_for_tests.py", tab.text("[aria-label=Error] pre.trace"))
        top = "document.querySelector('[aria-label=\"{}\"]').getBoundingClientRect().top"
        self.assertTrue(tab.js(f"{top.format('Error')} < {top.format('What happened')}"))
        self.assertEqual(f"fail {job_id.split('-')[-1][:12]} · Waybill", tab.js("document.title"))
        self.assertEqual([], tab.complaints)

        tab.click(".fall [aria-label^='Attempt 1']")
        tab.wait_for(".fall .more", "the disk is full")

    def test_a_job_that_runs_is_followed_to_its_end_and_its_log_as_it_grows(self) -> None:
        flag = self.server.folder / "go-on-job"
        first = self.post("sleep", {"until": str(flag)})
        tab = self.shown(first, "Attempt 1 of 5")
        tab.wait_for(".fall", "Attempt 1")
        flag.touch()
        tab.wait_for(".verdict", "Completed on the first attempt")
        tab.wait_for("h1 .state", "completed")
        tab.wait_for(".halves", '"slept"')

        tab.js(f"location.hash = '#/jobs/{self.post('talk', {})}'")
        tab.wait_for(".logs", "first line")
        tab.wait_for(".logs", "second")

    def test_a_delayed_job_says_when_it_begins(self) -> None:
        tab = self.shown(self.post("noop", {}, delay_s=3600), "Begins in 60 min.")

        # The times in the API's sentence are those of the reader's zone.
        tab.wait_for(".verdict time[title*=UTC]")
        self.assertNotRegex(tab.text(".verdict"), r"\dT\d\d:")
        tab.wait_for(".facts", "Due")
        tab.wait_for(".tries", "None so far.")

    def test_a_job_that_waits_for_another_leads_to_it_and_that_is_run_before_its_time(self) -> None:
        first = self.post("noop", {}, delay_s=3600)
        tab = self.shown(self.post("noop", {}, after=[first]), "Waits for other jobs.")
        tab.click(".verdict a")
        tab.wait_for(".verdict", "Begins in 60 min.")
        tab.click("[data-act=now]")
        tab.click("dialog .button.main")

        tab.wait_for(".verdict", "Completed on the first attempt")

    def test_a_job_that_was_cancelled_after_a_failure_does_not_call_that_the_reason(self) -> None:
        job_id = self.post("fail", {"text": "the disk is full"}, backoff={"base_s": 600, "cap_s": 600})
        self.until(job_id, "delayed")
        self.server.request("POST", f"/api/jobs/{job_id}/cancel")

        self.shown(job_id, "Cancelled. Its last error: the disk is full")

    def test_a_job_that_is_gone_says_where_its_story_is_still_told(self) -> None:
        job_id = self.post("noop", {})
        self.until(job_id, "completed")
        tab = self.shown(job_id, "Completed")
        self.server.request("DELETE", f"/api/jobs/{job_id}")
        tab.open(f"{self.server.url}/?again#/jobs/{job_id}")

        tab.wait_for(".hollow pre", f"grep -h {job_id}")

    def test_a_payload_is_text_keeps_its_numbers_and_may_be_large(self) -> None:
        payload = {HOSTILE: [HOSTILE], "total": 90071992547409931, "long": "x" * 500_000, "many": list(range(5000))}
        job_id = self.post("echo", payload, delay_s=3600, tags=["big"])
        tab = self.shown(job_id)
        tab.wait_for(".json", "90071992547409931")
        tab.wait_for(".json", "U+202E")
        tab.wait_for(".json button", "20,000 of 500,000 characters")

        self.assertLess(tab.count(".json *"), 1500)
        self.assertEqual(0, tab.count("main img"))
        self.assertNotIn("owned", tab.js("document.title"))
        tab.click("[data-act=curl]")
        body = tab.text("dialog .curl").split("-d '", 1)[1].removesuffix("'").replace("'\\''", "'")
        self.assertEqual(payload, json.loads(body)["payload"])

    def test_long_waits_are_folded_and_their_order_is_kept(self) -> None:
        tab = self.opened()
        times = (("attempt", 0, 1), ("backoff", 1, 3601), ("attempt", 3601, 3602))
        rows = json.dumps([{"kind": kind, "from": begin, "to": end} for kind, begin, end in times])
        pieces = f"scale({rows}).pieces.map(one => [one.width, one.isFolded])"
        found = tab.js(f"import('/dashboard/waterfall.js').then(({{scale}}) => {pieces})")

        self.assertEqual([False, True, False], [is_folded for _, is_folded in found])
        self.assertAlmostEqual(0.2, found[0][0])
        self.assertAlmostEqual(1, sum(width for width, _ in found))

    def state(self, job_id: str) -> str | None:
        found = self.server.request("GET", f"/api/jobs/{job_id}")[1].get("state")
        return str(found) if found else None

    def dead_job(self) -> tuple[str, Path]:
        """A job that dies until a file is there: its id, and the file."""
        flag = self.server.folder / f"flag-{self.id()}"
        job_id = self.post("when_there", {"until": str(flag)})
        wait_until(lambda: self.state(job_id) == "dead", "the job is dead")
        return job_id, flag

    def test_a_time_that_was_set_is_told_exactly_and_a_measured_one_shortly(self) -> None:
        cases = {0.5: ("500 ms", "500 ms"), 90: ("90 s", "90 s"), 149: ("2 min", "149 s"), 300: ("5 min", "5 min")}
        cases |= {3600: ("60 min", "1 h"), 5400: ("90 min", "90 min"), 86_400: ("24 h", "1 d"), 259_200: ("3 d", "3 d")}

        both = f"{json.dumps([*cases])}.map(s => [seconds(s), exactly(s)])"
        found = self.opened().js(f"import('/dashboard/kit.js').then(({{seconds, exactly}}) => {both})")

        self.assertEqual([list(texts) for texts in cases.values()], found)

    def test_a_dead_job_is_run_again_by_the_keyboard_to_its_effect(self) -> None:
        job_id, flag = self.dead_job()
        tab = self.opened(f"#/jobs/{job_id}")
        tab.wait_for("[data-act=retry]", "Run again")
        flag.touch()
        tab.press("r")
        tab.wait_for("dialog", "The job becomes ready in default.")
        tab.press("Enter")

        tab.wait_for(".verdict", "Completed after it was run again by hand; 1 attempt had failed before.")
        self.assertEqual("completed", self.state(job_id))
        self.assertEqual(0, tab.count("dialog"))
        self.assertEqual([], tab.complaints)

    def test_the_payload_stands_above_the_attempts_and_of_a_dead_job_above_all_beside_its_error(self) -> None:
        job_id, flag = self.dead_job()
        tab = self.opened(f"#/jobs/{job_id}")
        panels = "[...document.querySelectorAll('main section.panel')].map(one => one.ariaLabel).join()"
        tab.until(f"{panels} === 'Error,Payload,What happened,Attempts,Log,About'")
        tab.resize(390, 844)
        top = "document.querySelector('[aria-label={}]').getBoundingClientRect().top"
        self.assertLess(tab.js(top.format("Payload")), tab.js(top.format("Attempts")))
        self.fit(tab)
        flag.touch()
        self.server.request("POST", f"/api/jobs/{job_id}/retry")

        tab.until(f"{panels} === 'What happened,Payload,Result,Attempts,Log,About'")

    def test_the_curl_of_an_action_does_the_same(self) -> None:
        job_id, flag = self.dead_job()
        tab = self.opened(f"#/jobs/{job_id}")
        tab.click("[data-act=retry]")
        tab.wait_for("dialog .curl")
        flag.touch()

        self.assertEqual(job_id, self.pasted(tab)["id"])
        wait_until(lambda: self.state(job_id) == "completed", "the job has run again")

    def test_what_has_changed_meanwhile_is_told_by_the_refusal(self) -> None:
        job_id = self.post("noop", {}, delay_s=3600)
        tab = self.opened(f"#/jobs/{job_id}")
        tab.click("[data-act=cancel]")
        tab.wait_for("dialog .curl")
        self.server.request("POST", f"/api/jobs/{job_id}/cancel")
        tab.click("dialog .button.main")

        tab.wait_for("dialog [role=alert]", "(409, request dash-")

    def test_a_delayed_job_is_cancelled_and_then_deleted(self) -> None:
        job_id = self.post("noop", {}, delay_s=3600)
        tab = self.opened(f"#/jobs/{job_id}")
        tab.click("[data-act=cancel]")
        tab.click("dialog .button.main")
        tab.wait_for(".verdict", "Cancelled.")
        tab.click("[data-act=delete]")
        tab.click("dialog .button.danger")
        tab.wait_for(".hollow", "There is no such job")

        self.assertIsNone(self.state(job_id))

    def test_all_that_fit_are_run_again_or_deleted_as_counted_and_as_the_curl_does(self) -> None:
        flag = self.server.folder / "flag-of-all"
        for queue in ("default", "email", "email"):
            self.post("when_there", {"until": str(flag)}, queue=queue, tags=["sweep"])
        self.post("fail", {}, max_attempts=1)
        wait_until(lambda: self.dead() == 4, "they are dead")

        tab = self.opened("#/jobs?tag=sweep")
        tab.wait_for(".fit", "choose one state")
        tab.js("location.hash = '#/jobs?tag=sweep&state=dead&q=until'")
        tab.wait_for(".fit", "can't be changed by a text")
        tab.js("location.hash = '#/jobs?tag=sweep&state=dead'")
        tab.click(".fit [data-act=redrive]")
        tab.wait_for("dialog .main:not([disabled])", "Run 3 again")
        tab.wait_for("dialog", "3 dead jobs in 2 queues with tag sweep will run again, the first to die first.")
        self.assertEqual(3, tab.count("dialog .link"))
        self.assertEqual({"contrast": [], "names": [], "overflow": [], "targets": []}, tab.js(AUDIT))
        curl = tab.text("dialog .curl")
        flag.touch()
        done = subprocess.run(["sh", "-c", curl], capture_output=True, text=True, timeout=20, check=True)
        self.assertEqual([1, 2], sorted(int(count) for count in re.findall(r'"redriven":(\d+)', done.stdout)))
        wait_until(lambda: self.dead() == 1, "they have run again")

        tab.press("Escape")
        tab.press("g")
        tab.press("e")
        tab.wait_for(".errors", "ValueError · fail in default")
        tab.wait_for(".errors", "FileNotFoundError · when_there in 2 queues")
        tab.click("[aria-label='What is a row'] a:not([aria-current])")
        tab.wait_for(".errors", "FileNotFoundError · when_there in email")
        tab.js("history.back()")
        tab.wait_for(".errors", "FileNotFoundError · when_there in 2 queues")
        tab.js("document.querySelector('.errors tr[data-key*=ValueError] [data-act=redrive]').focus()")
        tab.press("Enter")
        tab.wait_for("dialog", "1 dead job of default with type fail, error ValueError will run again")
        tab.wait_for("dialog .main:focus", "Run 1 again")
        tab.press("Enter")
        tab.wait_for("dialog [role=status]", "1 job will run again.")
        wait_until(lambda: self.dead() == 1, "it is dead again")
        tab.press("Escape")
        tab.js("document.querySelector('.errors tr[data-key*=ValueError] a').focus()")
        tab.press("Enter")
        tab.click(".fit [data-act=delete]")
        tab.click("dialog .danger:not([disabled])")
        tab.wait_for("dialog [role=status]", "Deleted: 1 job.")
        tab.wait_for(".hollow", "No job fits")
        self.assertEqual(0, self.dead())
        self.assertEqual([], tab.complaints)

    def test_more_jobs_than_one_answer_takes_are_changed_answer_by_answer(self) -> None:
        ids = [self.post("noop", {}, delay_s=3600, tags=["crowd"]) for _ in range(7)]
        tab = self.opened("#/jobs?queue=default&tag=crowd&state=delayed")
        with held(tab, "*/api/queues/default/purge", stage="Request") as sweeps:
            tab.click(".fit [data-act=cancel]")
            self.take_three(sweeps, 1)
            tab.wait_for("dialog", "3 or more delayed jobs of default with tag crowd will not run any more.")
            tab.click("dialog .danger:not([disabled])")
            for count in (2, 3, 4):
                self.take_three(sweeps, count)
            tab.wait_for("dialog [role=status]", "Cancelled: 7 jobs.")

        self.assertEqual({"cancelled"}, {self.state(job_id) for job_id in ids})
        self.assertEqual([], tab.complaints)

    def take_three(self, sweeps: Held, count: int) -> None:
        """An answer takes 10,000 jobs; here the server is asked for three."""
        sweeps.wait_for(count)
        sweeps.let_go(body={**json.loads(sweeps.requests[-1]["postData"]), "limit": 3})

    def dead(self) -> int:
        items = self.server.request("GET", "/api/queues")[1]["items"]
        return sum(queue["counts"]["dead"] for queue in items)

    def test_the_curls_of_cancel_and_delete_do_the_same(self) -> None:
        job_id = self.post("noop", {}, delay_s=3600)
        tab = self.opened(f"#/jobs/{job_id}")
        tab.click("[data-act=cancel]")
        self.pasted(tab)
        tab.press("Escape")
        tab.wait_for(".verdict", "Cancelled.")
        tab.click("[data-act=delete]")
        self.pasted(tab)
        tab.press("Escape")

        self.assertIsNone(self.state(job_id))

    def test_a_job_that_does_not_stop_is_ended_by_force_and_so_does_its_curl(self) -> None:
        jobs = [self.post("swallow", {"seconds": 60}) for _ in range(2)]
        tab = self.opened()
        for job_id in jobs:
            tab.js(f"location.hash = '#/jobs/{job_id}'")
            tab.wait_for(".crumbs", job_id)
            tab.wait_for(".verdict", "Runs for")
            self.server.request("POST", f"/api/jobs/{job_id}/cancel")
            tab.wait_for("[data-act=cancel]", "End now")
            tab.click("[data-act=cancel]")
            tab.wait_for("dialog", "It is ended within some seconds")
            if job_id == jobs[0]:
                tab.click("dialog .main")
                tab.until("!document.querySelector('dialog')")
            else:
                self.pasted(tab)

        wait_until(lambda: [self.state(one) for one in jobs] == ["cancelled"] * 2, "both are cancelled")


if __name__ == "__main__":
    unittest.main()
