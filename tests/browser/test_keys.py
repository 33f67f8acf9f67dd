"""Keys of callers: sign-in, what a key's scope shows, new tabs, sign-out; and no key where others could read it."""

import unittest
from typing import Any

from tests.browser.case import AUDIT
from tests.browser.held import held
from tests.browser.keys_case import READ, READ_ENTRY, WRITE, WRITE_ENTRY, KeysCase


class Keys(KeysCase):
    def test_the_key_is_asked_for_until_it_is_good(self) -> None:
        tab = self.opened()
        tab.wait_for("#key")
        tab.press("Escape")
        tab.settle()
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
            tab.wait_for("h2", "No jobs so far")
            tab.wait_for(".steps .curl", "Bearer $KEY")
            tab.wait_for(".steps", "--new-key")

        found = "[...document.querySelectorAll('.button')].filter(one => /job/i.test(one.textContent)).length"
        self.assertEqual([0, 2], [tab.js(found) for tab in (reader, writer)])
        reader.wait_for(".steps", "Your key may only read.")

        # On the page of a job or a workflow; and no curl there shows a key.
        late: dict[str, Any] = {"type": "noop", "payload": {}, "delay_s": 3600}
        by = {"authorization": f"Bearer {WRITE}"}
        job_id = self.post(**late, key=WRITE)
        workflow_id = self.server.request("POST", "/api/workflows", {"jobs": {"a": late}}, **by)[1]["id"]
        places = (
            (f"#/jobs/{job_id}", "noop", ["now", "edit", "curl", "cancel"]),
            (f"#/workflows/{workflow_id}", "Workflowrunning", ["cancel", "curl"]),
        )
        for tab, key in ((reader, READ), (writer, WRITE)):
            tab.bring_to_front()
            for place, heading, acts in places:
                tab.js(f"location.hash = '{place}'")
                tab.wait_for("h1", heading)
                tab.wait_for("[data-act=curl]")
                shown = tab.js("[...document.querySelectorAll('[data-act]')].map(one => one.dataset.act)")
                self.assertEqual(acts if tab is writer else ["curl"], shown)
                told = "" if tab is writer else "Changes take a key of scope write."
                self.assertEqual(told, tab.js("document.querySelector('.head .acts .faint')?.textContent ?? ''"))
                tab.press("y")
                self.assertIn('"Authorization: Bearer $KEY"', tab.text("dialog .curl"))
                self.assertNotIn(key, tab.js("document.documentElement.outerHTML"))
                tab.press("Escape")
                tab.until("!document.querySelector('dialog')")

        # Neither may change all jobs that fit a filter; one of them single jobs.
        for tab, can in ((reader, False), (writer, True)):
            tab.js("location.hash = '#/jobs?state=delayed'")
            tab.wait_for(".jobs tbody tr")
            self.assertEqual((can, 0), (tab.count(".jobs td .box") > 0, tab.count(".fit *")))
        for place in ("new", f"{job_id}/edit"):
            reader.js(f"location.hash = '#/jobs/{place}'")
            reader.wait_for("h3", "This key may only read")

    def test_a_key_that_may_not_change_a_queue_sees_how_it_is(self) -> None:
        tab = self.signed_in(WRITE)
        tab.js("location.hash = '#/queues/default'")
        tab.wait_for(".facts", "no limit")
        tab.wait_for(".head .acts", "Changes take a key of scope admin.")
        for width in (390, 1440):
            tab.resize(width, 900)
            self.assertEqual({"contrast": [], "names": [], "overflow": [], "targets": []}, tab.js(AUDIT))

        self.assertEqual(0, tab.count(".head .button, .panel header .acts button"))

    def test_a_key_that_may_not_write_a_schedule_sees_how_it_is(self) -> None:
        body = {"every_s": 3600, "job": {"type": "noop", "payload": {}}}
        auth = {"authorization": f"Bearer {WRITE}"}
        self.assertEqual(201, self.server.request("PUT", "/api/schedules/hourly", body, **auth)[0])
        reader, writer = self.signed_in(READ), self.signed_in(WRITE)
        pages = (("#/schedules", ".schedules", 3), ("#/schedules/hourly", ".verdict", 4))
        for tab, is_writer in ((reader, False), (writer, True)):
            tab.bring_to_front()
            for hash, selector, acts in pages:
                tab.js(f"location.hash = '{hash}'")
                tab.wait_for(selector)
                found = tab.count(
                    "[data-act=run], [data-act=pause], [data-act=delete], main a.button[href*='new'], [data-act=edit]"
                )
                self.assertEqual(acts if is_writer else 0, found, hash)
                if not is_writer and hash.endswith("/hourly"):
                    tab.wait_for(".head .acts", "Changes take a key of scope write.")
                self.assertEqual(2 if is_writer and hash == "#/schedules" else 0, tab.count("main .box"))
        reader.bring_to_front()
        reader.js("location.hash = '#/schedules/+new'")
        reader.wait_for("h3", "This key may not write schedules")
        self.assertEqual(0, reader.count("form .main"))

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
            self.assertEqual("Waybill", tab.js("document.getElementById('foot').textContent"))
        self.sign_in(second, READ)
        second.wait_for("#foot", "looker · read key")
        second.wait_for("main h1", "Ready for the first job")

    def test_after_a_sign_out_nothing_stays_and_nothing_comes(self) -> None:
        job_id = self.post("noop", {"text": "of-the-old-key"}, delay_s=3600, key=WRITE)
        tab = self.signed_in(WRITE)
        tab.js("location.hash = '#/workers'")
        tab.wait_for("#live", "Live")
        with held(tab, f"*/api/jobs/{job_id}") as answers:
            tab.js(f"location.hash = '#/jobs/{job_id}'")
            answers.wait_for()
            answers.let_go()
            tab.wait_for("[data-act=curl]")
            tab.press("y")
            tab.wait_for("dialog .curl", "of-the-old-key")
            answers.wait_for(2)  # It is being read again.
            other = self.browser.tab(beside=tab, is_window=True)
            self.addCleanup(other.close)
            other.open(f"{self.server.url}/#/hosts")
            other.click("#foot button")
            tab.wait_for("dialog", "signed out")
            answers.let_go()
            tab.js("history.back()")
            tab.until("location.hash === '#/workers'")
            tab.settle()

        self.assertEqual(1, tab.count("dialog"))
        self.assertEqual("", tab.js("document.querySelector('main').textContent"))
        self.assertNotIn("of-the-old-key", tab.js("document.documentElement.outerHTML"))
        self.assertEqual("Connecting", tab.text("#live"))
        self.sign_in(tab, READ)
        tab.wait_for("main h1", "Workers")

    def test_a_sign_out_reaches_a_tab_that_just_comes(self) -> None:
        first = self.signed_in(WRITE)
        second = self.browser.tab(beside=first, is_window=True)
        self.addCleanup(second.close)
        second.open(self.server.url)
        second.wait_for("#foot", "ops · write key")
        with held(second, "*/api/caller") as answers:
            second.call("Page.reload")
            answers.wait_for()
            first.click("#foot button")
            first.wait_for("dialog", "signed out")
            second.until("sessionStorage.getItem('waybill-key') === null")
            answers.let_go()

        second.wait_for("dialog", "asks for a key")
        self.assertEqual([], [one for one in second.complaints if "status of 401" not in one])
        self.assertEqual("", second.js("document.querySelector('main').textContent"))

    def test_who_goes_back_to_a_page_after_a_sign_out_finds_it_signed_out(self) -> None:
        # As it was, if the browser keeps it. Chromium does not, where a message has come for it meanwhile.
        for is_kept in (True, False):
            with self.subTest(is_kept=is_kept):
                tab = self.signed_in(WRITE)
                tab.wait_for("#live", "Live")
                other = self.browser.tab(beside=tab, is_window=True)
                self.addCleanup(other.close)
                other.open(self.server.url)
                other.wait_for("#foot", "ops · write key")
                tab.js("globalThis.isOld = true, setTimeout(() => (location.href = 'docs')), 1")
                tab.until("location.pathname === '/docs' && document.readyState === 'complete'")
                if is_kept:
                    other.js("BroadcastChannel.prototype.postMessage = () => {}, 1")
                other.click("#foot button")
                other.wait_for("dialog", "signed out")
                tab.js("setTimeout(() => history.back()), 1")
                tab.wait_for("#key")

                self.assertEqual(is_kept, tab.js("Boolean(globalThis.isOld)"))
                self.assertEqual("", tab.js("document.querySelector('main').textContent"))
                self.assertIsNone(tab.js("sessionStorage.getItem('waybill-key')"))

    def test_a_tab_of_nobody_gets_no_key(self) -> None:
        self.signed_in(WRITE)
        other = self.opened()

        other.wait_for("#key")

    def test_a_key_that_expires_meanwhile_is_forgotten_and_what_it_has_shown_too(self) -> None:
        tab = self.signed_in(WRITE)
        tab.wait_for("#live", "Live")
        self.addCleanup(self.write_keys, READ_ENTRY, WRITE_ENTRY)
        self.write_keys(READ_ENTRY, f"{WRITE_ENTRY}:2026-01-31")
        tab.js("location.hash = '#/queues'")

        tab.wait_for("#key")
        self.assertIsNone(tab.js("sessionStorage.getItem('waybill-key')"))
        self.assertEqual("", tab.js("document.querySelector('main').textContent"))
        self.sign_in(tab, WRITE)
        tab.wait_for("dialog [role=alert]", "it has expired")
        self.sign_in(tab, READ)
        tab.wait_for("#foot", "looker · read key")
        tab.wait_for("main h1", "Queues")

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
