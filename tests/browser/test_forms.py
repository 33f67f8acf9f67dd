"""Forms of somebody who is not done: a date that is half typed, a page that is left amid it, a key that expires."""

import unittest

from tests.browser.form_case import Form, field
from tests.browser.tab import Tab

HALF = "This date is not complete"
HOURLY = {"every_s": 3600, "job": {"type": "noop", "payload": {}}}


class HalfFilled(Form):
    has_worker = False

    def half(self, tab: Tab, selector: str) -> None:
        """Type a day into a field of a time, and no hours."""
        tab.wait_for("form .main")
        one = f"document.querySelector('{selector}')"
        tab.js(f"{one}.closest('details') && ({one}.closest('details').open = true), {one}.focus(), 1")
        for key in "12242030":
            tab.press(key)
        self.assertEqual(["", True], tab.js(f"[{one}.value, {one}.validity.badInput]"))

    def test_of_a_job_is_told_at_the_field_and_nothing_is_sent(self) -> None:
        job_id = self.post("noop", {})
        for hash in ("#/jobs/new?type=noop", f"#/jobs/{job_id}/edit"):
            with self.subTest(hash):
                tab = self.opened(hash)
                self.half(tab, field("run_at"))
                tab.click("form .main")
                tab.wait_for(".fault", HALF)
                self.assertEqual("run_at", self.focused(tab))
                self.assertEqual(hash, tab.js("location.hash"))
                self.fit(tab)
                tab.press("Delete")
                tab.press("ArrowRight")
                for _ in range(2):
                    tab.press("Delete")
                    tab.press("ArrowRight")
                tab.click(".curl")
                tab.until("!document.querySelector('.fault:not([hidden])')")

    def test_of_a_schedule_is_told_at_the_field_and_nothing_is_saved(self) -> None:
        self.server.request("PUT", "/api/schedules/half", HOURLY)
        for hash in ("#/schedules/+new", "#/schedules/half/edit"):
            for name in ("starts", "ends"):
                with self.subTest(hash, name=name):
                    tab = self.opened(hash)
                    tab.wait_for("form .main")
                    if "new" in hash:
                        self.type_into(tab, "#s-name", "whole")
                    self.half(tab, f"#s-{name}")
                    tab.click("form .main")
                    tab.wait_for(f"#s-{name}-wrong", HALF)
                    self.assertEqual(f"s-{name}", tab.js("document.activeElement.id"))
                    tab.wait_for(".preview .next")
                    tab.wait_for(f"#s-{name}-wrong", HALF)
                    self.fit(tab)
        self.assertEqual(404, self.server.request("GET", "/api/schedules/whole")[0])


if __name__ == "__main__":
    unittest.main()
