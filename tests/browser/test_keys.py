"""Keys of callers: sign-in, what a key's scope shows, new tabs, sign-out; and no key where others could read it."""

import secrets
import unittest
from typing import ClassVar

from lib.settings import api_keys
from tests.browser.case import BrowserCase
from tests.browser.tab import Tab

READ, READ_ENTRY = api_keys.new_key("looker", "read", "", secrets.choice)
WRITE, WRITE_ENTRY = api_keys.new_key("ops", "write", "", secrets.choice)


class Keys(BrowserCase):
    settings: ClassVar[dict[str, object]] = {"API_KEYS": f"{READ_ENTRY},{WRITE_ENTRY}"}

    def signed_in(self, key: str) -> Tab:
        tab = self.opened()
        self.sign_in(tab, key)
        tab.wait_for("main h1")
        return tab

    def sign_in(self, tab: Tab, key: str) -> None:
        tab.wait_for("#key")
        tab.js("document.getElementById('key').focus()")
        tab.type(key)
        tab.press("Enter")

    def test_the_key_is_asked_for_until_it_is_good(self) -> None:
        tab = self.opened()
        self.sign_in(tab, "wb_wrong")
        tab.wait_for("dialog [role=alert]", "not known here")
        tab.press("Escape")
        tab.js("document.getElementById('key').value = ''")
        self.sign_in(tab, READ)

        tab.wait_for("#foot", "looker · read key")
        tab.wait_for("#live", "Live")
        self.assertEqual(0, tab.count("dialog"))

    def test_a_read_key_sees_no_button_that_changes_something(self) -> None:
        reader, writer = self.signed_in(READ), self.signed_in(WRITE)
        for tab in (reader, writer):
            tab.wait_for("h3", "No jobs so far")
            tab.wait_for(".hollow pre", "Bearer $KEY")

        self.assertEqual(
            0, reader.js("[...document.querySelectorAll('button')].filter(b => /job/i.test(b.textContent)).length")
        )
        writer.wait_for("button", "New job")
        writer.wait_for("button", "Post a job")

        # On the page of a job; and no curl there shows a key.
        job_id = self.post("noop", {}, delay_s=3600, key=WRITE)
        for tab, key, acts in ((reader, READ, ["curl"]), (writer, WRITE, ["cancel", "curl"])):
            tab.bring_to_front()
            tab.js(f"location.hash = '#/jobs/{job_id}'")
            tab.wait_for("[data-act=curl]")
            shown = tab.js("[...document.querySelectorAll('[data-act]')].map(one => one.dataset.act)")
            self.assertEqual(acts, shown)
            tab.press("y")
            self.assertIn('"Authorization: Bearer $KEY"', tab.text("dialog .curl"))
            self.assertNotIn(key, tab.js("document.documentElement.outerHTML"))

        # Neither may change all jobs that fit a filter; one of them single jobs.
        for tab, can in ((reader, False), (writer, True)):
            tab.js("location.hash = '#/jobs?state=delayed'")
            tab.wait_for(".jobs tbody tr")
            self.assertEqual((can, 0), (tab.count(".jobs td .box") > 0, tab.count(".fit *")))

    def test_a_key_that_may_not_change_a_queue_sees_how_it_is(self) -> None:
        tab = self.signed_in(WRITE)
        tab.js("location.hash = '#/queues/default'")
        tab.wait_for(".facts", "no limit")

        self.assertEqual(0, tab.count(".head .button, .panel header .acts button"))

    def test_a_new_tab_has_the_key_and_a_sign_out_is_everywhere(self) -> None:
        first = self.signed_in(WRITE)
        second = self.browser.tab(beside=first)
        self.addCleanup(second.close)
        second.open(self.server.url)
        second.wait_for("#foot", "ops · write key")

        second.click("#foot button")

        for tab in (first, second):
            tab.bring_to_front()
            tab.wait_for("dialog", "signed out")
            self.assertIsNone(tab.js("sessionStorage.getItem('waybill-key')"))
            self.assertEqual("", tab.js("document.querySelector('main').textContent"))
        self.sign_in(second, READ)
        second.wait_for("#foot", "looker · read key")
        second.wait_for("main h1", "you")

    def test_a_tab_of_nobody_gets_no_key(self) -> None:
        self.signed_in(WRITE)
        other = self.opened()

        other.wait_for("#key")

    def test_a_key_that_is_refused_meanwhile_is_forgotten(self) -> None:
        tab = self.signed_in(WRITE)
        tab.js(
            "import('./dashboard/api.js').then("
            "api => { api.setKey('wb_old'); return api.get('api/caller').catch(() => 1) })"
        )

        tab.wait_for("#key")
        self.assertIsNone(tab.js("sessionStorage.getItem('waybill-key')"))

    def test_the_key_is_in_no_log_address_or_store_that_stays(self) -> None:
        tab = self.signed_in(WRITE)
        tab.wait_for("#live", "Live")

        logs = (self.server.folder / "logs" / "app.log").read_text(encoding="utf-8")
        self.assertIn("dash-", logs)
        self.assertNotIn(WRITE, logs + self.server.said())
        self.assertEqual([], [url for url in tab.requested if WRITE in url])
        self.assertNotIn(
            WRITE, tab.js("location.href + document.title + document.cookie + JSON.stringify(localStorage)")
        )
        self.assertNotIn(WRITE, tab.js("document.documentElement.outerHTML"))


if __name__ == "__main__":
    unittest.main()
