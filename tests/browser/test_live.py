"""The page while things happen: jobs run, the tab is hidden, frozen, Redis and the server go and come back."""

import contextlib
import http.client
import shutil
import unittest
from typing import ClassVar
from urllib.parse import urlsplit

from prod.local.processes import free_port
from tests.browser.case import MODULES, BrowserCase
from tests.browser.tab import Tab
from tests.processes import ROOT, Server
from tests.waiting import wait_until

READERS = 100
"""So many streams a server process has, and none more."""
LATE = """
  const Now = Date, off_ms = 3_600_000;
  Date = class extends Now {
    constructor(...about) { about.length ? super(...about) : super(Now.now() + off_ms); }
    static now() { return Now.now() + off_ms; }
  };
"""

CELL = (
    "[...document.querySelectorAll('.queues tbody tr')].find(row => row.textContent.startsWith('default'))"
    "?.querySelector('[data-label={}]').textContent === '{}'"
)


class LivePage(BrowserCase):
    settings: ClassVar[dict[str, object]] = {"PORT": free_port()}
    """A server that is started again has its address again."""

    def setUp(self) -> None:
        wait_until(lambda: not self.open_streams(), "the streams of the test before have ended")
        job_id = self.post("noop", {})
        wait_until(lambda: self.server.request("GET", f"/api/jobs/{job_id}")[1]["state"] == "completed", "it has run")
        self.tab = self.opened()
        self.tab.wait_for("#live", "Live")
        self.tab.wait_for(".queues", "default")

    def streams(self, tab: Tab) -> int:
        return sum("digest_s" in url for url in tab.requested)

    def until_streams(self, count: int) -> None:
        wait_until(lambda: len(self.open_streams()) == count, f"{count} streams are open")

    def hide(self) -> None:
        """Lay another tab over it."""
        other = self.browser.tab(beside=self.tab)
        self.addCleanup(other.close)
        self.tab.until("document.hidden")

    def start_again(self) -> None:
        started = len(self.server.logged("server.started"))
        self.server.start()
        self.server.wait_for("server.started", started + 1)
        self.server.wait_until_ready()

    def test_a_job_is_seen_to_wait_run_and_end_by_the_stream_alone(self) -> None:
        flag = self.server.folder / "go-on"
        self.tab.js("location.hash = '#/queues'")  # Where queues are read anew after half a minute, and not before.
        self.tab.wait_for(".queues-all", "default")
        read_before = sum("/api/queues" in url for url in self.tab.requested)
        ids = [self.post("sleep", {"until": str(flag)}) for _ in range(5)]  # The worker runs four at a time.

        self.tab.until(CELL.format("active", 4))
        self.tab.until(CELL.format("ready", 1))
        self.assertEqual(read_before, sum("/api/queues" in url for url in self.tab.requested))
        flag.touch()
        self.tab.until(CELL.format("active", 0))

        self.assertEqual(1, self.streams(self.tab))
        self.assertEqual(5, len(ids))
        self.assertEqual([], self.tab.complaints)

    def test_a_hidden_tab_lets_go_of_its_stream_and_takes_it_up_again(self) -> None:
        self.hide()
        self.until_streams(0)
        self.tab.js("1")  # The events of the browser come with answers.
        asked = len(self.tab.requested)
        self.post("noop", {})
        self.tab.js("new Promise(done => setTimeout(done, 1500))")
        self.assertEqual(asked, len(self.tab.requested))

        self.tab.bring_to_front()
        self.tab.wait_for("#live", "Live")
        self.assertEqual(2, self.streams(self.tab))

    def test_the_page_of_a_job_lets_go_of_both_its_streams(self) -> None:
        job_id = self.post("noop", {}, delay_s=3600)
        self.tab.js(f"location.hash = '#/jobs/{job_id}'")
        self.tab.wait_for(".verdict", "Begins in")
        self.until_streams(2)
        self.hide()
        self.until_streams(0)

        self.tab.bring_to_front()
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

    def test_redis_stopped_and_back_for_pages_that_were_there_and_pages_that_come_meanwhile(self) -> None:
        job_id = self.post("noop", {})
        self.redis.stop()
        try:
            self.tab.wait_for(".banner", "Redis does not answer")
            self.tab.wait_for("#live", "Redis is away")
            self.assertRegex(self.tab.text(".banner"), r"What you see is from \d\d:\d\d:\d\d.* Trying again in \d+ s")
            self.assertTrue(self.tab.js(CELL.format("active", 0)), "the old numbers stay")
            tries = self.tries()
            self.tab.click(".banner button")
            wait_until(lambda: self.tries() > tries, "it is tried again")
            later, form = self.opened(), self.opened(f"#/jobs/new?like={job_id}")
            form.wait_for(".hollow", "It can't be read now")
            later.bring_to_front()
            later.wait_for(".banner", "Redis does not answer")
        finally:
            self.redis.start()

        self.tab.wait_for("#live", "Live", within_s=20)
        self.assertEqual(0, self.tab.count(".banner"))
        later.wait_for(".queues", "default", within_s=20)
        later.wait_for("#live", "Live")
        form.bring_to_front()
        form.wait_for("form .main", "Post the job")

    def tries(self) -> int:
        """How often the page has asked whether Redis is back."""
        self.tab.js("1")  # The events of the browser come with answers.
        return sum(url.endswith("/readyz") for url in self.tab.requested)

    def test_seven_windows_side_by_side_load_and_leave_room_for_an_eighth(self) -> None:
        """A browser opens six connections to a host, and each of these pages wants two for good."""
        job_id = self.post("noop", {}, delay_s=3600)
        tabs = [self.browser.tab(beside=self.tab, is_window=True) for _ in range(7)]
        for tab in tabs:
            self.addCleanup(tab.close)
            tab.open(f"{self.server.url}/#/jobs/{job_id}")
        for tab in tabs:
            tab.wait_for(".verdict", "Begins in")
            tab.until("['Live', 'Polling'].includes(document.getElementById('live').textContent)")

        self.assertIn("Polling", [tab.text("#live") for tab in tabs])
        # That one has ended is logged a little later than the next has begun.
        wait_until(lambda: len(self.open_streams()) <= 4, "four streams are open")
        self.assertEqual([], [one for tab in tabs for one in tab.complaints])

    def test_a_server_without_room_for_a_reader_is_polled_and_its_end_is_seen(self) -> None:
        with contextlib.ExitStack() as links:
            parts = urlsplit(self.server.url)
            for _ in range(READERS):
                link = http.client.HTTPConnection(parts.hostname or "", parts.port)
                links.callback(link.close)
                link.request("GET", "/api/events?digest_s=1")
            self.until_streams(READERS)
            tab = self.opened("#/queues")
            tab.wait_for("#live", "Polling")
            tab.wait_for(".queues", "default")

            self.server.kill()
            tab.wait_for(".banner", "The server does not answer.")
            tab.wait_for("#live", "No answer")
            self.assertRegex(tab.text(".banner"), r"What you see is from \d\d:\d\d:\d\d.* Trying again in \d+ s")
            self.assertGreater(tab.count(".queues tbody tr"), 0)
        self.start_again()
        for one in (tab, self.tab):
            one.bring_to_front()
            one.js("document.querySelector('.banner button')?.click()")
            one.wait_for("#live", "Live")
            one.until("!document.querySelector('.banner')")

    def test_an_upgrade_under_the_page_is_told_once_the_new_server_speaks(self) -> None:
        root = self.server.folder / "upgraded"
        shutil.copytree(ROOT / "lib", root / "lib", ignore=lambda *_: ["__pycache__"])
        shutil.copy(ROOT / "server.py", root)
        for name in ("openapi.yaml", "tests"):
            (root / name).symlink_to(ROOT / name)
        init = root / "lib" / "__init__.py"
        init.write_text(init.read_text("utf-8").replace('__version__ = "', '__version__ = "99.'), "utf-8")
        self.tab.wait_for("#which", "Waybill")
        self.server.kill()
        self.tab.wait_for(".banner", "The server does not answer.")
        self.server.root = root
        self.addCleanup(self.restore)
        self.start_again()
        self.tab.js("document.querySelector('#away button')?.click()")  # It may just be gone.

        self.tab.wait_for("[role=alert]", "Waybill was upgraded.")
        self.tab.wait_for("#live", "Live")
        self.tab.click(".banner button")
        self.tab.wait_for("#which", "Waybill 99.")
        self.tab.wait_for("#live", "Live")
        self.assertEqual(0, self.tab.count(".banner"))

    def restore(self) -> None:
        self.server.kill()
        self.server.root = ROOT
        self.start_again()

    def test_a_server_that_asks_to_wait_is_waited_for(self) -> None:
        with Server(self.redis.url, JOB_MODULES=MODULES, RATE_LIMIT="3/4") as server:
            tab = self.browser.tab()
            self.addCleanup(tab.close)
            tab.open(server.url)
            tab.wait_for("#busy [role=status]", "Too many requests: waiting for")
            tab.wait_for(".queues", "default")
            tab.until("!document.querySelector('.banner')")

        complaints = [one for one in tab.complaints if "status of 429" not in one and "ERR_" not in one]
        self.assertEqual([], complaints)

    def test_a_part_that_does_not_come_is_told(self) -> None:
        self.tab.call("Network.setBlockedURLs", urls=["*/pages/queues.js"])
        self.tab.js("location.hash = '#/queues'")
        self.tab.wait_for("main .hollow", "A part of the page did not come")
        self.tab.call("Network.setBlockedURLs", urls=[])
        self.tab.click("main .hollow button")
        self.tab.wait_for(".queues", "default")

        self.tab.call("Network.setBlockedURLs", urls=["*/kit.js"])
        self.tab.open(f"{self.server.url}/?anew")
        self.tab.until("document.getAnimations().map(one => one.finish()).length")
        self.tab.wait_for("main p", "The page does not start")

    def test_ages_are_true_though_the_readers_clock_is_an_hour_fast(self) -> None:
        tab = self.browser.tab()
        self.addCleanup(tab.close)
        tab.call("Page.addScriptToEvaluateOnNewDocument", source=LATE)
        job_id = self.post("noop", {}, delay_s=1800)
        tab.open(f"{self.server.url}/#/jobs?queue=default&state=delayed")
        tab.wait_for("time", "in 30 min")
        tab.js(f"location.hash = '#/jobs/{job_id}'")
        tab.wait_for(".verdict", "Begins in 30 min")


if __name__ == "__main__":
    unittest.main()
