"""#/jobs: the list, its tabs and pages, and the search field in the bar."""

import json
import unittest
from typing import ClassVar

from tests.browser.case import AUDIT, BrowserCase
from tests.browser.tab import Tab
from tests.waiting import wait_until

COUNT = 120
CHOSEN = "document.getElementById(document.getElementById('find').getAttribute('aria-activedescendant')).textContent"
FIRST = "document.querySelector('.what a')?.hash"


class Search(BrowserCase):
    mail: ClassVar[str]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        jobs = [{"type": "noop", "payload": {"ledger": ""}, "delay_s": 3600 + n} for n in range(COUNT)]
        status, _, _ = cls.server.request("POST", "/api/jobs/batch", jobs)
        assert status == 200
        letter = {"to": "ann@example.com", "subject": "Order 4711", "text": "x", "smtp_password": "hunter22"}
        headers = {"x-request-id": "order-4711"}
        for payload in (letter | {"text": "y"}, letter):
            body = {"type": "echo", "payload": payload, "tags": ["order-17"]}
            cls.mail = cls.server.request("POST", "/api/jobs", body, **headers)[1]["id"]
        cls.server.request("POST", "/api/jobs", {"type": "when_there", "payload": {"until": "/nowhere"}})
        wait_until(lambda: cls.counts() == (1, 2), "what is posted has ended")

    @classmethod
    def counts(cls) -> tuple[int, int]:
        counts = cls.server.request("GET", "/api/queues/default")[1]["counts"]
        return counts["dead"], counts["completed"]

    def searched(self, tab: Tab, text: str) -> None:
        tab.wait_for("h1")
        tab.press("/")
        tab.js("document.getElementById('find').select(), document.querySelector('h1').isOld = true, 0")
        tab.type(text)
        tab.press("Enter")
        tab.until("!document.querySelector('h1').isOld")

    def until_rows(self, tab: Tab, count: int) -> None:
        tab.until(f"document.querySelectorAll('.jobs tbody tr').length === {count}")

    def test_each_qualifier_finds_what_the_api_finds(self) -> None:
        tab = self.opened("#/jobs")
        tab.wait_for(".jobs tbody tr")
        for text, count in (
            ("queue:default state:dead", 1),
            ("status:failed", 1),  # The words of other queues.
            ("error:FileNotFoundError", 1),
            ("type:echo tag:order-17 request:order-4711", 2),
            ('after:1h before:2099-01-01 "order 4711"', 2),
            ("hunter22", 0),  # A masked secret is not found.
            ("type:echo state:dead,cancelled", 0),
        ):
            with self.subTest(text):
                self.searched(tab, text)
                tab.until("!document.querySelector('[aria-busy]')")
                self.until_rows(tab, count)
                if not count:
                    tab.wait_for(".hollow", "No job fits")
        tab.js("document.activeElement.blur()")
        tab.press("/")
        tab.js("document.getElementById('find').select()")
        tab.press("Delete")  # The last searches leave room for what one can search by.
        tab.wait_for("[role=option]:last-child", "before:")
        self.assertEqual([], tab.complaints)

    def test_what_a_row_shows_is_found_and_what_is_in_quotes_is_left_as_it_is(self) -> None:
        tab = self.opened("#/jobs")
        (worker,) = self.server.request("GET", "/api/workers")[1]["items"]
        for text, count, becomes in (
            ("until: /NOWHERE", 1, None),
            ('"subject":"Order 4711"', 2, None),
            ("order 4711 type:echo", 2, "type:echo order 4711"),
            ("request_id:order-4711", 2, "request:order-4711"),
            (f"type:echo worker:{worker['pid']}", 2, f"type:echo worker:{worker['id']}"),
            ('"state:dead"', 0, None),
        ):
            with self.subTest(text):
                self.searched(tab, text)
                tab.until("!document.querySelector('[aria-busy]')")
                self.until_rows(tab, count)
                self.assertEqual(becomes or text, tab.js("document.getElementById('find').value"))
        for text, told in (
            ("-state:dead", "-state: is no word of the search, but text. Its words are queue: state:"),
            ("error:550", "its message is found by its text alone"),
            ("worker:nobody", "A worker's id is meant"),
        ):
            self.searched(tab, text)
            tab.wait_for(".hollow", told)
        self.assertEqual([], tab.complaints)

    def test_an_id_opens_the_job_and_a_refusal_is_told(self) -> None:
        tab = self.opened("#/jobs")
        self.searched(tab, self.mail)
        tab.wait_for("h1", "echo")
        self.searched(tab, "order-4711")
        tab.wait_for("h1", "Request")
        tab.wait_for(".head", "2 jobs")
        self.assertEqual(2, tab.count(".list li"))
        self.searched(tab, self.mail[-32:-16])  # So far it is told apart from jobs of the same ms.
        self.until_rows(tab, 1)
        self.assertEqual(f"#/jobs/{self.mail}", tab.js(FIRST))
        body = {"every_s": 3600, "job": {"type": "noop", "payload": {}}}
        self.assertEqual(201, self.server.request("PUT", "/api/schedules/nightly", body)[0])
        self.searched(tab, "nightly")
        tab.wait_for("h1", "nightly")
        self.searched(tab, "after:whenever")

        tab.wait_for(".hollow", "request dash-")
        self.assertEqual("after:whenever", tab.js("document.getElementById('find').value"))

    def test_pages_go_on_and_back_and_the_tabs_count(self) -> None:
        tab = self.opened("#/jobs?queue=default&state=delayed")
        self.until_rows(tab, 50)
        tab.wait_for("[data-count=delayed]", str(COUNT))
        seen = [tab.js(FIRST)]
        for key, count in (("[", 50), ("[", 20), ("]", 50)):
            tab.press(key)
            tab.until(f"{FIRST} && {FIRST} !== {json.dumps(seen[-1])}")
            self.until_rows(tab, count)
            seen.append(tab.js(FIRST))
        self.assertEqual(seen[1], seen[3])
        tab.js("history.go(-3)")
        tab.until(f"{FIRST} === {json.dumps(seen[0])}")

        self.assertEqual("Jobs in default · Waybill", tab.js("document.title"))

    def test_a_long_search_tells_how_far_it_has_looked_and_can_be_stopped(self) -> None:
        jobs = [{"type": "noop", "payload": {}, "queue": "many", "delay_s": 3600}] * 1000
        for _ in range(34):  # More than one request looks at.
            self.server.request("POST", "/api/jobs/batch", jobs)
        tab = self.opened("#/jobs?queue=many")
        tab.wait_for(".jobs tbody tr")
        # The button is there for some tenths of a second.
        tab.js(
            "window.said = '', new MutationObserver(() => { const looked = document.querySelector('.looked');"
            "const stop = looked?.querySelector('button'); if (!stop || window.said) return;"
            "window.said = looked.textContent; stop.click();"
            "}).observe(document.body, {childList: true, subtree: true})"
        )
        tab.js("location.hash = '#/jobs?queue=many&q=nowhere-to-be-found'")
        told = tab.until("window.said")
        self.assertRegex(told, r"0 found\. Looked at [\d,]+ of 34,000 jobs")

        tab.wait_for(".hollow", "The search was stopped.")
        tab.wait_for("footer", "Search on")
        tab.js("location.hash = '#/jobs?queue=reports&q=nowhere-4711'")
        tab.click(".looked a.link")  # The id of a request, maybe, whose jobs the search field did not come to.
        tab.wait_for("h1", "Request")
        tab.wait_for(".hollow", "There is no such request")

    def test_rows_are_walked_chosen_and_cancelled_without_a_mouse(self) -> None:
        tab = self.opened("#/jobs?queue=default&state=delayed&order=oldest")
        self.until_rows(tab, 50)
        doomed = tab.js("[...document.querySelectorAll('.jobs .what a')].slice(0, 3).map(a => a.hash.slice(7))")
        for key in ("j", "x", "j", "j", "X"):
            tab.press(key)
        tab.wait_for(".bulk", "3 chosen")
        tab.press("c")
        tab.wait_for("dialog .button.main:not([disabled])", "Cancel: 3")
        tab.press("Enter")
        tab.until("!document.querySelector('dialog')")

        for job_id in doomed:
            self.assertEqual("cancelled", self.server.request("GET", f"/api/jobs/{job_id}")[1]["state"])
        tab.until("document.querySelector('.bulk').hidden")
        for _ in doomed:  # The other tests count on them.
            self.post("noop", {}, delay_s=9000)

    def test_a_click_anywhere_in_a_row_opens_it_but_not_on_its_box_nor_while_text_is_selected(self) -> None:
        tab = self.opened("#/jobs?queue=default&state=completed")
        row = f"[data-id='{self.mail}']"
        for cell in (".st", ".id", "td:nth-child(5)", "td:last-child"):
            tab.click(f"{row} {cell}")
            tab.until(f"location.hash === '#/jobs/{self.mail}'")
            tab.js("history.back()")
            tab.wait_for(row)
        tab.click(f"{row} .box")
        tab.wait_for(".bulk", "1 chosen")
        tab.js(f"getSelection().selectAllChildren(document.querySelector(`{row} .id`))")
        tab.js(f"document.querySelector(`{row} .st`).click()")
        self.assertEqual("#/jobs?queue=default&state=completed", tab.js("location.hash"))
        tab.js("getSelection().empty(), location.hash = '#/queues'")
        tab.click(".queues tbody tr td:last-child")
        tab.wait_for("h1", "default")
        self.assertEqual([], tab.complaints)

    def test_what_is_typed_is_completed_by_keys_and_the_last_searches_come_again(self) -> None:
        tab = self.opened("#/jobs")
        tab.wait_for("#live", "Live")
        tab.press("/")
        tab.wait_for("[role=option]", "queue:")
        for typed, at, offered in (("def", 1, "queue:default"), ("state:de", 1, "state:dead"), ("ec", 1, "type:echo")):
            tab.type(typed)
            tab.wait_for(f"[role=option]:nth-child({at})", offered)
            for _ in range(at):
                tab.press("ArrowDown")
            self.assertEqual(offered, tab.js(CHOSEN))
            tab.press("Enter")
        self.assertEqual("queue:default state:dead type:echo ", tab.js("document.getElementById('find').value"))
        tab.press("Enter")
        tab.until("location.hash === '#/jobs?queue=default&state=dead&type=echo'")
        self.assertEqual("false", tab.js("document.getElementById('find').ariaExpanded"))
        tab.wait_for(".hollow", "No job fits")
        self.assertEqual([], tab.complaints)

        tab.js("location.hash = '#/queues'")
        tab.wait_for("h1", "Queues")
        tab.press("/")
        tab.wait_for("[role=option]", "searched before")
        self.assertEqual({"contrast": [], "names": [], "overflow": [], "targets": []}, tab.js(AUDIT))
        tab.press("Escape")
        self.assertEqual(0, tab.count("[role=option]"))
        tab.press("ArrowDown")
        tab.click("[role=option]")
        tab.until("location.hash === '#/jobs?queue=default&state=dead&type=echo'")
        self.assertNotIn("echo", tab.js("JSON.stringify(localStorage)"))

    def test_on_a_phone_rows_are_chosen_and_none_moves_under_who_is_at_them(self) -> None:
        first, second = (self.post("noop", {}, queue="email", delay_s=3600) for _ in range(2))
        tab = self.opened("#/jobs?queue=email", width=390, height=844)
        self.until_rows(tab, 2)
        dead = "[...document.querySelectorAll('.states a')].find(one => one.textContent.startsWith('Dead'))"
        self.assertLess(tab.js(f"{dead}.getBoundingClientRect().right"), 390)  # It is seen without a swipe.
        tab.click(f"[data-id='{first}'] .box")
        tab.wait_for(".bulk", "1 chosen")
        self.assertEqual({"contrast": [], "names": [], "overflow": [], "targets": []}, tab.js(AUDIT))
        for job_id in (first, second):
            self.server.request("POST", f"/api/jobs/{job_id}/cancel")
        self.server.request("DELETE", f"/api/jobs/{second}")
        third = self.post("noop", {}, queue="email", delay_s=3600)

        top = tab.js("document.querySelector('.jobs').getBoundingClientRect().top")
        tab.wait_for(".newer .button", "1 newer, 1 gone")
        self.assertEqual(top, tab.js("document.querySelector('.jobs').getBoundingClientRect().top"))
        self.assertEqual({"contrast": [], "names": [], "overflow": [], "targets": []}, tab.js(AUDIT))
        tab.wait_for(f"[data-id='{first}'] .state", "cancelled")
        shown = "[...document.querySelectorAll('.jobs tbody tr')].map(row => row.dataset.id)"
        self.assertEqual([second, first], tab.js(shown))
        tab.click(".newer .button")
        self.assertEqual([third, first], tab.js(shown))
        tab.wait_for(".bulk", "1 chosen")
        self.assertFalse(tab.js("document.querySelector('.newer').checkVisibility()"))
        self.assertEqual([], tab.complaints)


if __name__ == "__main__":
    unittest.main()
