"""What comes late, early or in another order than it was asked for. Each test fails without a guard in the page."""

import unittest
from typing import Any, ClassVar

from tests.browser.case import BrowserCase
from tests.browser.held import held
from tests.browser.tab import Tab
from tests.waiting import wait_until

LISTEN = """
  const decode = TextDecoder.prototype.decode;
  globalThis.heard = "";
  TextDecoder.prototype.decode = function (...how) {
    const text = decode.apply(this, how);
    globalThis.heard += text;
    return text;
  };
"""
"""What streams have brought."""
SOON = "const timeout = AbortSignal.timeout; AbortSignal.timeout = (ms) => timeout.call(AbortSignal, ms / 10);"
"""Who waits for an answer has a tenth of the patience."""
TOLD = 'data: {"id": null}\n\n'
HOST = "shop.example.com:443"


class Races(BrowserCase):
    has_worker: ClassVar[bool] = False

    def new_tab(self, source: str = "") -> Tab:
        tab = self.browser.tab()
        self.addCleanup(tab.close)
        if source:
            tab.call("Page.addScriptToEvaluateOnNewDocument", source=source)
        return tab

    def go(self, tab: Tab, hash: str) -> None:
        tab.js(f"location.hash = '{hash}'")

    def search(self, tab: Tab, text: str) -> None:
        self.type_into(tab, "#find", text)
        tab.press("Enter")

    def test_of_two_pages_the_last_one_is_shown_whichever_script_comes_first(self) -> None:
        tab = self.opened("#/queues")
        tab.wait_for("h1", "Queues")
        with held(tab, "*/pages/workers.js") as scripts:
            self.go(tab, "#/workers")
            scripts.wait_for()
            self.go(tab, "#/hosts")
            tab.wait_for("h1", "Receivers")
            scripts.let_go()
            tab.settle()

        self.assertEqual(("Receivers", "Receivers · Waybill"), (tab.text("h1"), tab.js("document.title")))

    def test_a_page_that_was_left_says_nothing_any_more(self) -> None:
        job_id = self.post("noop", {}, delay_s=3600)
        tab = self.opened("#/queues")
        tab.wait_for("h1", "Queues")
        with held(tab, f"*/api/jobs/{job_id}") as answers:
            self.go(tab, f"#/jobs/{job_id}")
            answers.wait_for()
            self.go(tab, "#/hosts")
            tab.wait_for("h1", "Receivers")
            answers.let_go()
            tab.settle()

        self.assertEqual("Receivers · Waybill", tab.js("document.title"))

    def test_who_types_before_the_page_has_come_types_on(self) -> None:
        tab = self.opened("#/queues")
        tab.wait_for("h1", "Queues")
        with held(tab, "*/pages/errors.js") as scripts:
            self.go(tab, "#/errors")
            scripts.wait_for()
            tab.press("/")
        tab.wait_for("h1", "Errors")

        self.assertEqual("find", tab.js("document.activeElement.id"))

    def test_a_search_whose_answer_comes_late_takes_nobody_away(self) -> None:
        tab = self.opened("#/queues")
        tab.wait_for("h1", "Queues")
        with held(tab, "*/api/schedules?name=*") as answers:
            self.search(tab, "nightly")
            answers.wait_for()
            self.go(tab, "#/hosts")
            tab.wait_for("h1", "Receivers")
            answers.let_go()
            tab.settle()

        self.assertEqual("#/hosts", tab.js("location.hash"))

    def test_of_two_searches_the_newer_one_counts(self) -> None:
        tab = self.opened("#/queues")
        tab.wait_for("h1", "Queues")
        with held(tab, "*/api/schedules?name=*") as answers:
            self.search(tab, "nightly")
            answers.wait_for(1)
            self.search(tab, "weekly")
            answers.wait_for(2)
            answers.let_go()
            tab.settle()
            answers.let_go()
            tab.wait_for("h1", "Jobs")

        self.assertEqual("#/jobs?q=weekly", tab.js("location.hash"))

    def test_a_digest_amid_a_read_brings_the_next_and_a_read_from_before_a_change_is_given_up(self) -> None:
        self.post("noop", {}, queue="webhook", group=HOST)
        tab = self.new_tab(LISTEN)
        with held(tab, "*/api/hosts?*") as answers:
            tab.open(f"{self.server.url}/#/hosts")
            tab.wait_for("#live", "Live")
            answers.wait_for(1)
            self.post("noop", {}, queue="heard-of")
            tab.until("heard.includes('heard-of')")
            answers.let_go()
            answers.wait_for(2, within_s=7)  # It is 2 s; for who has heard nothing 10.

            tab.click("td .acts .button")
            tab.click("dialog .main")
            answers.wait_for(3)
            answers.let_go(1)
            tab.wait_for("main td", "Rests: it is paused.")
            answers.let_go()
            tab.settle()

            self.assertIn("Rests: it is paused.", tab.text("main table"))

    def test_the_chart_shows_what_was_chosen_last(self) -> None:
        self.post("noop", {})
        tab = self.new_tab()
        with held(tab, "*/api/stats?window=1h*") as answers:
            tab.open(self.server.url)
            answers.wait_for()
            tab.click("[data-window='24h']")
            tab.wait_for(".readout", "Last 24 hours")
            answers.let_go()
            tab.wait_for(".tile", "in the last hour")  # It has come.

            self.assertIn("Last 24 hours", tab.text(".readout"))

    def cancelled_job(self) -> str:
        """One that is read every 30 s, if no message comes."""
        job_id = self.post("noop", {}, delay_s=3600)
        self.server.request("POST", f"/api/jobs/{job_id}/cancel")
        return job_id

    def test_what_has_happened_before_the_stream_began_is_seen(self) -> None:
        job_id = self.cancelled_job()
        tab = self.new_tab()
        with held(tab, "*/api/events?job=*", stage="Request") as streams:
            tab.open(f"{self.server.url}/#/jobs/{job_id}")
            tab.wait_for(".verdict", "Cancelled.")
            streams.wait_for()
            self.server.request("POST", f"/api/jobs/{job_id}/retry")

        tab.wait_for(".verdict", "Nobody serves its queue.")

    def test_a_message_that_comes_while_the_job_is_read_has_it_read_again(self) -> None:
        job_id = self.post("noop", {}, delay_s=3600)
        tab = self.new_tab(LISTEN)
        with held(tab, f"*/api/jobs/{job_id}") as answers:
            tab.open(f"{self.server.url}/#/jobs/{job_id}")
            for count in (1, 2):  # The second one when the stream has begun.
                answers.wait_for(count)
                answers.let_go()
            tab.wait_for(".verdict", "Begins in")
            self.server.request("POST", f"/api/jobs/{job_id}/cancel")
            answers.wait_for(3)
            self.server.request("POST", f"/api/jobs/{job_id}/retry")
            tab.until('heard.includes(\'"by":"retry"\')')
            answers.let_go()

        tab.wait_for(".verdict", "Nobody serves its queue.")

    def test_of_a_message_that_broke_off_nothing_is_kept_and_it_is_asked_for_again(self) -> None:
        job_id = self.cancelled_job()
        tab = self.new_tab()
        with held(tab, "*/api/events?job=*", stage="Request") as streams:
            tab.open(f"{self.server.url}/#/jobs/{job_id}")
            for count, text in enumerate((f"retry: 10\nid: 1\n{TOLD}id: 2\nevent: x\ndata: {{", "id: 3\n", TOLD), 1):
                streams.wait_for(count)
                streams.answer(text)
            streams.wait_for(4)

        self.assertEqual([None, "1", "1", "1"], [one["headers"].get("Last-Event-ID") for one in streams.requests])

    def test_a_tab_that_is_hidden_while_its_stream_begins_gives_it_up(self) -> None:
        tab, failed = self.new_tab(), list[dict[str, Any]]()
        tab.listeners["Network.loadingFailed"] = failed.append
        with held(tab, "*/api/events?digest_s=*", stage="Request") as streams:
            tab.open(self.server.url)
            streams.wait_for()
            other = self.browser.tab(beside=tab)
            wait_until(lambda: tab.js("1") and [one for one in failed if one["canceled"]], "it is given up")
            self.assertEqual("Hidden", tab.text("#live"))
        other.close()
        tab.bring_to_front()
        tab.wait_for("#live", "Live")

    def test_a_queue_that_went_while_the_tab_was_hidden_is_gone(self) -> None:
        self.post("noop", {})
        tab = self.opened("#/queues")
        tab.wait_for("#live", "Live")
        tab.wait_for("main .soft", "in trouble.")  # The list is read, and not again for half a minute.
        job_id = self.post("noop", {}, queue="short-lived", delay_s=3600)
        tab.wait_for(".queues-all", "short-lived")  # By the stream.
        other = self.browser.tab(beside=tab)
        tab.wait_for("#live", "Hidden")
        for method, path in (
            ("POST", f"/api/jobs/{job_id}/cancel"),
            ("DELETE", f"/api/jobs/{job_id}"),
            ("DELETE", "/api/queues/short-lived"),
        ):
            self.assertLess(self.server.request(method, path)[0], 300)
        other.close()
        tab.bring_to_front()

        tab.until("!document.querySelector('.queues-all').textContent.includes('short-lived')")

    def test_a_request_that_finds_redis_away_has_the_page_say_so_at_once(self) -> None:
        tab = self.opened("#/hosts")
        tab.wait_for("#live", "Live")
        with held(tab, "*/api/workers", "*/readyz", stage="Request") as requests:
            self.go(tab, "#/workers")
            requests.wait_for(1)
            requests.answer('{"type": "/problems/redis-unavailable"}', 503, "application/problem+json")
            tab.wait_for(".banner", "Redis does not answer.")
            requests.wait_for(2)
            requests.let_go()
            tab.wait_for("#live", "Live")

    def test_a_question_whether_all_is_back_is_asked_again_if_it_is_lost(self) -> None:
        tab = self.new_tab(SOON)
        tab.call("Network.setBlockedURLs", urls=["*/api/events?digest_s=*"])
        with held(tab, "*/readyz", stage="Request") as questions:
            tab.open(self.server.url)
            tab.wait_for(".banner", "The server does not answer.")
            hurried = "document.querySelector('#away button')?.click()"
            wait_until(lambda: tab.js(hurried) or len(questions.requests) > 1, "it is asked again")
            tab.call("Network.setBlockedURLs", urls=[])

        tab.wait_for("#live", "Live")


if __name__ == "__main__":
    unittest.main()
