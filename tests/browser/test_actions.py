"""What a person does to jobs from the page, and that its curl does the same."""

import subprocess
import unittest
from pathlib import Path

from tests.browser.case import BrowserCase
from tests.waiting import wait_until


class Actions(BrowserCase):
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
        curl = tab.text("dialog .curl")
        flag.touch()
        done = subprocess.run(["sh", "-c", curl], capture_output=True, text=True, timeout=20, check=True)

        self.assertIn("200 OK", done.stdout)
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


if __name__ == "__main__":
    unittest.main()
