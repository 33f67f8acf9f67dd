"""Every page of the dashboard as it is painted: no complaint, no other host, fit for eyes, ears and thumbs."""

import json
import unittest
from datetime import datetime
from typing import ClassVar, NamedTuple
from zoneinfo import ZoneInfo

from tests.browser import tree
from tests.browser.case import AUDIT, BrowserCase
from tests.browser.tab import Tab
from tests.waiting import wait_until

# The hash, the title, and the words that the page shows once it has read what it shows.
ROUTES = (
    ("#/", "Overview · Waybill", "Throughput"),
    ("#/jobs?q=example&type=email", "Jobs · Waybill", "3 found."),
    ("#/jobs/new", "New job · Waybill", "More fields:"),
    ("#/jobs/new?like={dead}", "Edit as new · Waybill", "A new job like"),
    ("#/jobs/{delayed}/edit", "Edit job · Waybill", "Not before"),
    ("#/jobs/{dead}", "when_there {dead_short} · Waybill", "Attempt 1 · FileNotFoundError"),
    ("#/requests/shop-1", "Request shop-1 · Waybill", "not ended yet."),
    ("#/queues", "Queues · Waybill", "reports"),
    ("#/queues/default", "default · Waybill", "FileNotFoundError"),
    ("#/hosts", "Receivers · Waybill", "api.example.com:443"),
    ("#/errors", "Errors · Waybill", "FileNotFoundError"),
    ("#/workers", "Workers · Waybill", "sleep"),
    ("#/workflows", "Workflows · Waybill", "monthly"),
    ("#/workflows/{flow}", "monthly {flow_short} · Waybill", "waits for 2"),
    ("#/schedules", "Schedules · Waybill", "Every day at 02:30"),
    ("#/schedules/nightly", "nightly · Waybill", "Runs in "),
    ("#/schedules/nightly/edit", "Edit nightly · Waybill", "show 02:30 twice"),
)


class Wish(NamedTuple):
    """How somebody reads. font_px: the browser's own size of text, 16 if nobody has changed it. forced: the reader's
    few colours take the place of the page's."""

    width: int
    dark: bool = False
    font_px: int = 16
    forced: bool = False


WISHES = (
    Wish(1440),
    Wish(1440, dark=True),
    Wish(1440, forced=True),
    Wish(768),
    Wish(390, dark=True),
    Wish(320),
    Wish(390, font_px=32),
    Wish(1440, font_px=32),
)
WIDTHS = ((390, 844), (1440, 900))
LISTEN = """
  window.said = [], new MutationObserver(changes => changes.map(({target}) => (target.closest ? target :
    target.parentElement)?.closest("[aria-live=polite], [role=status], [role=alert]")).filter(Boolean)
    .forEach(one => said.push(one.textContent)))
    .observe(document.body, {subtree: true, childList: true, characterData: true}), 1
"""
TILES = """
  (tiles => {
    document.querySelectorAll(".tile .note")[2].textContent = "1,015 of 1,162 attempts, last minute, ".repeat(2);
    const rows = Map.groupBy(tiles, one => Math.round(one.getBoundingClientRect().top));
    return [...rows.values()].map(row => ["dt", ".value", ".note", "svg"].map(part =>
      row.map(one => Math.round(one.querySelector(part).getBoundingClientRect().top))));
  })([...document.querySelectorAll(".tile")])
"""
"""The tops of the labels, figures, notes and pictures of each row of tiles, one of which has a long note."""
MOST_BYTES = 150_000
MOST_PAINT_MS = 1000
"""A machine that runs other tests beside paints late; what is measured on a quiet one stands in the notes."""


class Pages(BrowserCase):
    """With jobs that ended well, badly, wait and run. jobs: ids that stand in ROUTES, by their names there."""

    jobs: ClassVar[dict[str, str]] = {}

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        for _ in range(3):
            cls.post_one("email", {"to": "ann@example.com", "subject": "Hi", "text": "Hello"})
        cls.post_one("noop", {}, queue="reports")
        cls.post_one("noop", {}, queue="webhook", group="api.example.com:443")
        # They outlast this class, also on a machine that is busy: a time-out would count as retried.
        cls.post_one("sleep", {"seconds": 600}, request_id="shop-1", timeout_s=900)
        cls.post_one("talk", {"seconds": 600}, timeout_s=900)
        dead = cls.post_one("when_there", {"until": "/nowhere/<img src=x onerror=document.title='owned'>"})
        flow = cls.post_workflow()
        # A job of it would be counted: in Sydney it is noon then.
        zone = "Europe/Berlin" if datetime.now(ZoneInfo("Europe/Berlin")).hour != 2 else "Australia/Sydney"
        nightly = {"cron": "30 2 * * *", "timezone": zone, "job": {"type": "noop", "payload": {}}}
        cls.server.request("PUT", "/api/schedules/nightly", nightly)
        cls.server.request("PUT", "/api/schedules/resting", {**nightly, "cron": "* * * * *", "paused": True})
        delayed = cls.post_one("noop", {}, delay_s=3600)
        short = {"dead_short": dead[-32:-20], "flow_short": flow[-32:-20]}
        cls.jobs = {"dead": dead, "flow": flow, "delayed": delayed, **short}
        wait_until(lambda: cls.counts("default")["dead"] == 1 and cls.counts("email")["completed"] == 3, "jobs end")

    @classmethod
    def post_one(cls, type: str, payload: object, *, request_id: str = "shop-0", **fields: object) -> str:
        body = {"type": type, "payload": payload, **fields}
        status, job, _ = cls.server.request("POST", "/api/jobs", body, **{"x-request-id": request_id})
        assert status == 202, job
        return str(job["id"])

    @classmethod
    def post_workflow(cls) -> str:
        late = {"type": "noop", "payload": {}, "delay_s": 3600, "queue": "reports"}
        jobs = {"late": late, "sum": {**late, "after": ["late", {"job": "may", "on": "ended"}]}}
        body = {"name": "monthly", "jobs": {**jobs, "may": {**late, "optional": True}}}
        return str(cls.server.request("POST", "/api/workflows", body)[1]["id"])

    @classmethod
    def counts(cls, queue: str) -> dict[str, int]:
        counts: dict[str, int] = cls.server.request("GET", f"/api/queues/{queue}")[1]["counts"]
        return counts

    def test_every_page_loads_without_a_complaint_and_is_fit_for_eyes_ears_and_thumbs(self) -> None:
        for hash, title, words in ROUTES:
            with self.subTest(hash):
                tab = self.opened(hash.format(**self.jobs))
                tab.wait_for("main", words)
                tab.wait_for("#live", "Live")
                tab.settle()
                tab.js(LISTEN)

                self.assertEqual([], tab.complaints)
                # The browser's own icon of a field of times is a data: address.
                own = (self.server.url, "data:image/svg+xml;")
                self.assertEqual([], [url for url in tab.requested if not url.startswith(own)])
                tab.until(f"document.title === {json.dumps(title.format(**self.jobs))}")  # It may come after the words.
                self.assertEqual([], tree.faults_of(tab))
                for wish in WISHES:
                    self.expect_fit(tab, wish)
                self.assertEqual([], tab.js("said"), "a live region talks though nothing happens")

    def expect_fit(self, tab: Tab, wish: "Wish") -> None:
        tab.resize(wish.width, 900)
        tab.paint(dark=wish.dark, forced=wish.forced)
        if wish.font_px != 16:
            tab.call("Page.setFontSizes", fontSizes={"standard": wish.font_px})
        tab.settle(0)
        with self.subTest(wish):
            self.assertEqual({"contrast": [], "names": [], "overflow": [], "targets": []}, tab.js(AUDIT))

    def test_the_tiles_stand_in_line_however_long_their_texts_are(self) -> None:
        tab = self.opened()
        tab.wait_for(".tile svg")
        for width in (390, 768, 1024, 1280, 1920):
            tab.resize(width, 900)
            with self.subTest(width):
                rows = tab.js(TILES)
                self.assertIn(len(rows), (1, 2, 3))
                self.assertEqual([1] * 4 * len(rows), [len(set(tops)) for row in rows for tops in row])

    def test_a_breach_of_the_policy_would_be_seen(self) -> None:
        """Else the test above could not fail."""
        tab = self.opened()
        tab.wait_for("main", "Throughput")
        foreign = "Object.assign(document.createElement('img'), {src: 'http://127.0.0.1:1/x.png'})"
        tab.js(f"document.body.append({foreign}), 1")
        tab.settle()

        self.assertIn("Content Security Policy", "".join(tab.complaints))
        thrown = "(() => { try { document.body.innerHTML = 'x' } catch (fault) { return fault.message } })()"
        self.assertIn("TrustedHTML", tab.js(thrown))

    def test_a_dialog_and_large_text_are_fit_as_well(self) -> None:
        for hash, shown, opens, words in (
            ("", "Throughput", "#help", "Keys"),
            ("#/jobs/new", "More fields:", "form > .inset .more-fields summary", "Not before"),
            ("#/jobs/{dead}", "Attempt 1 · FileNotFoundError", "[data-act=retry]", "Run the job again?"),
        ):
            for width, height in (WIDTHS[0], WIDTHS[-1]):
                with self.subTest(words, width=width):
                    tab = self.opened(hash.format(**self.jobs), width=width, height=height)
                    tab.wait_for("main", shown)
                    tab.js("document.documentElement.style.fontSize = '175%'")  # Twice the usual 87.5 %.
                    tab.settle()
                    tab.click(opens)
                    tab.wait_for("dialog, [open]", words)
                    tab.settle()
                    found = tab.js(AUDIT)

                    self.assertEqual(([], [], []), (found["contrast"], found["names"], found["overflow"]))

    def test_focus_and_title_follow_the_route(self) -> None:
        tab = self.opened()
        tab.wait_for("main", "Throughput")
        self.assertEqual("BODY", tab.js("document.activeElement.tagName"))

        tab.js("location.hash = '#/nowhere'")
        tab.wait_for("h1", "There is no page here")
        self.assertEqual("H1", tab.js("document.activeElement.tagName"))
        self.assertEqual(0, tab.count(".places [aria-current]"))

        tab.click("main a.button")
        tab.wait_for("main", "Throughput")
        self.assertEqual("H1", tab.js("document.activeElement.tagName"))
        self.assertEqual("Overview", tab.text(".places [aria-current]").strip())

    def test_the_link_to_the_page_moves_the_focus_and_not_the_route(self) -> None:
        tab = self.opened()
        tab.wait_for("main", "Throughput")
        tab.js("document.getElementById('skip').focus()")
        tab.press("Enter")

        self.assertEqual("main", tab.js("document.activeElement.id"))
        self.assertEqual("", tab.js("location.hash"))

    def test_the_overview_says_what_the_api_says(self) -> None:
        tab = self.opened()
        tab.wait_for(".alert", "Nobody serves the queue reports")
        tab.wait_for(".alert", "Jobs of default die")

        row = "[...document.querySelectorAll('.queues tbody tr')].find(row => row.textContent.startsWith('{}'))"
        email = row.format("email")
        tab.wait_for(".err", "FileNotFoundError")
        tab.wait_for(".run", "sleep")
        self.assertEqual("1", tab.js(f"{row.format('reports')}.querySelector('[data-label=ready]').textContent"))
        self.assertEqual("0", tab.js(f"{email}.querySelector('[data-label=dead]').textContent"))
        self.assertIn("3 completed, 0 retried, 1 dead", tab.text(".readout"))
        self.assertNotIn("owned", tab.js("document.title"))
        tab.wait_for(".runs-list .progress[aria-valuenow='50']")
        for width in (1440, 1280, 800):
            tab.resize(width, 900)
            wider = tab.js("(of => of.scrollWidth - of.clientWidth)(document.querySelector('.scroll'))")
            self.assertEqual(0, wider, width)
        tab.click(".queues tbody strong")
        tab.wait_for("#recent a", "reports")
        self.assertEqual("1", tab.text("#recent .count"))
        tab.js("history.back()")
        tab.click(".panel[aria-label^=Failing] header a")
        tab.wait_for(".errors", "FileNotFoundError · when_there in default")
        tab.js("location.hash = '#/jobs?state=active'")
        tab.wait_for(".done", "50 % · half-way")

    def test_the_chart_is_read_by_keys_and_reaches_back_a_day(self) -> None:
        tab = self.opened()
        tab.wait_for(".readout", "Last hour")
        tab.js("document.querySelector('.chart').focus()")
        tab.press("ArrowLeft")
        tab.wait_for(".readout", "in the minute")
        tab.click("[data-window='24h']")
        tab.wait_for(".readout", "24 hours")

    def test_the_first_paint_is_early_and_all_files_are_small(self) -> None:
        tab = self.opened()
        tab.wait_for("main", "Throughput")
        tab.settle()

        paint_ms = tab.js("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        files = "performance.getEntriesByType('resource').filter(one => !one.name.includes('/api/'))"
        loaded = tab.js(f"{files}.reduce((sum, one) => sum + one.decodedBodySize, 0)")
        print(f"first paint {paint_ms:.0f} ms, {loaded} bytes of files")
        self.assertLess(paint_ms, MOST_PAINT_MS)
        self.assertLess(loaded, MOST_BYTES)


if __name__ == "__main__":
    unittest.main()
