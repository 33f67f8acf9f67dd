"""Forms of somebody who is not done: a date that is half typed, a page that is left amid it, a key that expires."""

import json
import secrets
import time
import unittest
from datetime import UTC, datetime

from lib.settings import api_keys
from tests.browser.form_case import Form, field
from tests.browser.keys_case import READ_ENTRY, WRITE, WRITE_ENTRY, KeysCase
from tests.browser.tab import Tab

AGAIN = "What you had typed is here again"
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


class Drafts(KeysCase, Form):
    has_worker = False

    def tabs(self, key: str) -> list[tuple[Tab, str]]:
        """New job, Edit job and the editor of a schedule, each with the words in a field of it."""
        job_id = self.post("email", {"to": "a@b.de", "subject": "Old", "text": "-"}, delay_s=3600, key=key)
        first = self.signed_in(key)
        places = (
            ("#/jobs/new?type=email", field("subject")),
            (f"#/jobs/{job_id}/edit", field("subject")),
            ("#/schedules/+new", "#s-owner"),
        )
        tabs: list[tuple[Tab, str]] = []
        for hash, selector in places:
            tab = self.browser.tab(beside=first, is_window=True) if tabs else first
            if tabs:
                self.addCleanup(tab.close)
            tab.open(f"{self.server.url}/?{len(tabs)}{hash}")
            tab.wait_for(selector)
            self.type_into(tab, selector, "My own words")
            tabs.append((tab, selector))
        return tabs

    def text(self, tab: Tab, selector: str) -> str:
        tab.wait_for(selector)
        return str(tab.js(f"document.querySelector('{selector}').value"))

    def test_an_expired_key_says_so_and_what_was_typed_is_there_again_in_each_tab(self) -> None:
        until = datetime.fromtimestamp(time.time() + 12, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        short, entry = api_keys.new_key("ops", "write", until, secrets.choice)
        self.addCleanup(self.write_keys, READ_ENTRY, WRITE_ENTRY)
        self.write_keys(READ_ENTRY, WRITE_ENTRY, entry)
        tabs = self.tabs(short)
        for tab, _ in tabs:
            tab.wait_for("dialog", "Your key has expired. Sign in with another one.")
            self.assertEqual("Connecting", tab.text("#live"))
            self.assertEqual("", tab.js("document.querySelector('main').textContent"))
            self.assertNotIn("My own words", tab.js("document.documentElement.outerHTML"))
        self.sign_in(tabs[1][0], WRITE)

        for tab, selector in tabs:
            tab.wait_for("form [role=status]", AGAIN)
            tab.wait_for("#live", "Live")
            self.assertEqual("My own words", self.text(tab, selector))
        self.assertEqual(
            {"payload": {"to": "a@b.de", "subject": "My own words", "text": "-"}}, json.loads(self.body(tabs[1][0]))
        )

    def test_a_key_that_is_taken_out_says_so_and_another_caller_gets_no_draft(self) -> None:
        other, entry = api_keys.new_key("shop", "write", "", secrets.choice)
        self.addCleanup(self.write_keys, READ_ENTRY, WRITE_ENTRY)
        tabs = self.tabs(WRITE)
        self.write_keys(entry)
        for tab, _ in tabs:
            tab.wait_for("dialog", "Your key is not good any more. Sign in with another one.")
        self.write_keys(entry, WRITE_ENTRY)
        self.sign_in(tabs[0][0], other)
        for tab, selector in tabs:
            tab.wait_for("#foot", "shop")
            self.assertNotEqual("My own words", self.text(tab, selector))
        self.write_keys(WRITE_ENTRY)
        self.sign_in(tabs[0][0], WRITE)
        for tab, selector in tabs:
            tab.wait_for("#foot", "ops")
            self.assertNotEqual("My own words", self.text(tab, selector))

    def test_who_signs_out_leaves_no_draft_and_gets_no_key_of_another_tab(self) -> None:
        (tab, selector), (other, others), _ = self.tabs(WRITE)
        tab.click("#foot button")
        for one in (tab, other):
            one.wait_for("dialog", "You are signed out, in all tabs.")
        self.sign_in(other, WRITE)
        other.wait_for("#foot", "ops")
        self.assertEqual("Old", self.text(other, others))
        other.settle()
        self.assertEqual(1, tab.count("dialog #key"))
        self.sign_in(tab, WRITE)
        self.assertEqual("Hi", self.text(tab, selector))

    def test_who_goes_elsewhere_finds_what_was_typed_unless_it_was_sent_or_left_by_back(self) -> None:
        tab = self.signed_in(WRITE)
        tab.js("location.hash = '#/jobs/new'")
        tab.wait_for(field("subject"))
        tab.js("document.getElementById('job-type').value = 'all_kinds'")
        tab.js("document.getElementById('job-type').dispatchEvent(new Event('change'))")
        tab.wait_for(field("month"))
        self.set(tab, total="1.50", tags="a b")
        self.show(tab, "JSON")
        self.type_into(tab, "#payload-json", '{"total": 1.50, ')
        tab.click(".places a[href='#/queues']")
        tab.wait_for("h1", "Queues")
        tab.js("history.back()")
        tab.wait_for("form [role=status]", AGAIN)
        self.assertEqual('{"total": 1.50, ', self.text(tab, "#payload-json"))
        self.assertEqual(
            ("all_kinds", "a b"), (tab.js("document.getElementById('job-type').value"), self.value(tab, "tags"))
        )
        tab.wait_for(field("tags"))
        tab.complaints = [one for one in tab.complaints if "status of 401" not in one]
        self.fit(tab)

        self.type_into(tab, "#payload-json", '{"total": 1.50, "month": "2026-11", "only_here": 7}')
        self.show(tab, "Fields")
        tab.wait_for(field("only_here"))
        tab.click(".places a[href='#/queues']")
        tab.wait_for("h1", "Queues")
        tab.js("history.back()")
        tab.wait_for("form [role=status]", AGAIN)
        self.assertEqual(1.5, json.loads(self.text(tab, "#payload-json"))["total"])
        self.assertEqual(7, json.loads(self.body(tab))["payload"]["only_here"])

        tab.click("form .acts a.button")
        tab.wait_for("h1", "Jobs")
        tab.js("location.hash = '#/jobs/new'")
        self.assertEqual("Hi", self.text(tab, field("subject")))
        self.assertEqual(0, tab.count("form [role=status]"))
        self.set(tab, subject="My own words")
        self.posted(tab)
        tab.js("location.hash = '#/jobs/new'")
        self.assertEqual("Hi", self.text(tab, field("subject")))

    def test_the_editor_saves_over_the_version_that_was_opened(self) -> None:
        by = {"authorization": f"Bearer {WRITE}"}
        self.server.request("PUT", "/api/schedules/mine", HOURLY, **by)
        tab = self.signed_in(WRITE)
        tab.js("location.hash = '#/schedules/mine/edit'")
        tab.wait_for(".preview .next")
        self.type_into(tab, "#s-owner", "my-team")
        tab.click(".places a[href='#/queues']")
        tab.wait_for("h1", "Queues")
        self.server.request("PUT", "/api/schedules/mine", {**HOURLY, "every_s": 60}, **by)
        tab.js("history.back()")
        tab.wait_for("form [role=status]", AGAIN)
        tab.click("form .main")
        tab.wait_for("[role=alert]", "Somebody has changed the schedule")


if __name__ == "__main__":
    unittest.main()
