"""The page while things happen: jobs run, the tab is hidden, frozen, Redis and the server go and come back."""

import unittest

from tests.browser.case import BrowserCase
from tests.browser.tab import Tab
from tests.waiting import wait_until

CELL = (
    "[...document.querySelectorAll('.queues tbody tr')].find(row => row.textContent.startsWith('default'))"
    "?.querySelector('[data-label={}]').textContent === '{}'"
)


class LivePage(BrowserCase):
    def setUp(self) -> None:
        self.post("noop", {})
        self.tab = self.opened()
        self.tab.wait_for("#live", "Live")
        self.tab.wait_for(".queues", "default")

    def streams(self, tab: Tab) -> int:
        return sum("digest_s" in url for url in tab.requested)

    def begun_streams(self) -> int:
        return sum("/api/events" in line["msg"] for line in self.server.logged("request.started"))

    def ended_streams(self) -> int:
        """How many streams the server has ended: each has a second line in the log once it is over."""
        begun = {line["request_id"] for line in self.server.logged("request.started") if "/api/events" in line["msg"]}
        return sum(line["request_id"] in begun for line in self.server.logged("request.ended"))

    def hide(self, is_hidden: bool) -> None:
        state = "hidden" if is_hidden else "visible"
        self.tab.js(
            f"Object.defineProperty(document, 'hidden', {{value: {str(is_hidden).lower()}, configurable: true}}),"
            f"Object.defineProperty(document, 'visibilityState', {{value: '{state}', configurable: true}}),"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )

    def test_a_job_is_seen_to_wait_run_and_end_by_the_stream_alone(self) -> None:
        flag = self.server.folder / "go-on"
        read_before = sum("/api/queues" in url for url in self.tab.requested)
        ids = [self.post("sleep", {"until": str(flag)}) for _ in range(5)]  # The worker runs four at a time.

        self.tab.until(CELL.format("active", 4))
        self.tab.until(CELL.format("ready", 1))
        self.assertLessEqual(sum("/api/queues" in url for url in self.tab.requested), read_before + 1)
        flag.touch()
        self.tab.until(CELL.format("active", 0))

        self.assertEqual(1, self.streams(self.tab))
        self.assertEqual(5, len(ids))
        self.assertEqual([], self.tab.complaints)

    def test_a_hidden_tab_lets_go_of_its_stream_and_takes_it_up_again(self) -> None:
        ended = self.ended_streams()
        self.hide(True)
        wait_until(lambda: self.ended_streams() == ended + 1, "the stream has ended")
        asked = len(self.tab.requested)
        self.post("noop", {})
        self.tab.js("new Promise(done => setTimeout(done, 1500))")
        self.assertEqual(asked, len(self.tab.requested))

        self.hide(False)
        self.tab.wait_for("#live", "Live")
        self.assertEqual(2, self.streams(self.tab))

    def test_the_page_of_a_job_lets_go_of_both_its_streams(self) -> None:
        begun, job_id = self.begun_streams(), self.post("noop", {}, delay_s=3600)
        self.tab.js(f"location.hash = '#/jobs/{job_id}'")
        self.tab.wait_for(".verdict", "Begins in")
        wait_until(lambda: self.begun_streams() == begun + 1, "the job is followed")
        ended = self.ended_streams()
        self.hide(True)
        wait_until(lambda: self.ended_streams() == ended + 2, "both streams have ended")

        self.hide(False)
        self.tab.wait_for("#live", "Live")
        self.server.request("POST", f"/api/jobs/{job_id}/cancel")
        self.tab.wait_for(".verdict", "Cancelled.")

    def test_a_frozen_page_does_not_move(self) -> None:
        flag = self.server.folder / "go-on-too"
        self.tab.press(" ")
        self.tab.wait_for("#live", "Frozen")
        self.post("sleep", {"until": str(flag)})
        self.tab.js("new Promise(done => setTimeout(done, 1500))")
        self.assertTrue(self.tab.js(CELL.format("active", 0)))

        self.tab.press(" ")
        self.tab.until(CELL.format("active", 1))
        flag.touch()

    def test_redis_stopped_and_back(self) -> None:
        self.redis.stop()
        try:
            self.tab.wait_for(".banner", "Redis does not answer")
            self.tab.wait_for("#live", "Redis is away")
            self.assertIn("Trying again in", self.tab.text(".banner"))
            self.assertTrue(self.tab.js(CELL.format("active", 0)), "the old numbers stay")
        finally:
            self.redis.start()
        self.tab.click(".banner button")

        self.tab.wait_for("#live", "Live")
        self.assertEqual(0, self.tab.count(".banner"))

    def test_a_page_that_is_opened_while_redis_is_away_comes_by_itself(self) -> None:
        self.redis.stop()
        try:
            tab = self.opened()
            tab.wait_for(".banner", "Redis does not answer")
        finally:
            self.redis.start()

        tab.wait_for(".queues", "default", within_s=20)
        tab.wait_for("#live", "Live")

    def test_a_server_without_room_for_a_reader_is_polled(self) -> None:
        """The 101st reader of a process is refused: here as the page would see it."""
        self.tab.js(
            "import('./dashboard/live.js').then(({Live}) => { window.other = new Live(); const before = fetch;"
            "window.fetch = (path, how) => String(path).includes('api/events') ? Promise.resolve(new Response("
            "JSON.stringify({type: '/problems/too-many-connections', title: 't', detail: 'd'}), {status: 503}))"
            ": before(path, how); other.start(); })"
        )
        self.tab.until("window.other?.name === 'polling' && other.queues.has('default')")


if __name__ == "__main__":
    unittest.main()
