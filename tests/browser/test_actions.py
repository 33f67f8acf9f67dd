"""What a person does to jobs from the page, and that its curl does the same."""

import re
import subprocess
import unittest
from pathlib import Path
from typing import ClassVar

from tests.browser.case import AUDIT, BrowserCase
from tests.waiting import wait_until


class Actions(BrowserCase):
    worker_settings: ClassVar[dict[str, object]] = {"UNWIND_S": 60}  # A job that does not stop is seen for long enough.

    def state(self, job_id: str) -> str | None:
        found = self.server.request("GET", f"/api/jobs/{job_id}")[1].get("state")
        return str(found) if found else None

    def dead_job(self) -> tuple[str, Path]:
        """A job that dies until a file is there: its id, and the file."""
        flag = self.server.folder / f"flag-{self.id()}"
        job_id = self.post("when_there", {"until": str(flag)})
        wait_until(lambda: self.state(job_id) == "dead", "the job is dead")
        return job_id, flag

    def test_a_dead_job_is_run_again_by_the_keyboard_to_its_effect(self) -> None:
        job_id, flag = self.dead_job()
        tab = self.opened(f"#/jobs/{job_id}")
        tab.wait_for("[data-act=retry]", "Retry now")
        flag.touch()
        tab.press("r")
        tab.wait_for("dialog", "The job becomes ready in default.")
        tab.press("Enter")

        tab.wait_for(".verdict", "Completed on the first attempt")
        self.assertEqual("completed", self.state(job_id))
        self.assertEqual(0, tab.count("dialog"))
        self.assertEqual([], tab.complaints)

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
        tab.wait_for("dialog .main:not([disabled])", "Redrive 3")
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
        tab.wait_for("dialog .main:focus", "Redrive 1")
        tab.press("Enter")
        tab.wait_for("dialog [role=status]", "1 job will run again.")
        wait_until(lambda: self.dead() == 1, "it is dead again")
        tab.press("Escape")
        tab.js("document.querySelector('.errors tr[data-key*=ValueError] a').focus()")
        tab.press("Enter")
        tab.click(".fit [data-act=delete]")
        tab.click("dialog .danger:not([disabled])")
        tab.wait_for("dialog [role=status]", "1 job is deleted.")
        tab.wait_for(".hollow", "No job fits")
        self.assertEqual(0, self.dead())
        self.assertEqual([], tab.complaints)

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
