"""What a person does to jobs from the page, and that its curl does the same."""

import unittest
from pathlib import Path
from typing import ClassVar

from tests.browser.case import BrowserCase
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
