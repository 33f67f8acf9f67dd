"""The list of schedules: the order that it stands in, and what is done to several of them at once."""

import json
import unittest
from typing import Any

from tests.browser.case import BrowserCase
from tests.browser.tab import Tab

NOOP = {"type": "noop", "payload": {}}
NAMES = "[...document.querySelectorAll('.schedules tbody tr strong')].map(one => one.textContent)"
ON_BOARD = "[...document.querySelectorAll('.board-names a')].map(one => one.textContent)"
SORTED_BY = "[...document.querySelectorAll('th[aria-sort]')].map(one => one.textContent + one.ariaSort).join()"
OLD_SERVER = """
    globalThis.real = fetch, globalThis.refusal = {title: "?", errors: [{pointer: "?sort", detail: "is not known"}]},
    globalThis.fetch = async (path, how) =>
      path.includes("sort=") ? Response.json(refusal, {status: 422}) : real(path, how), 1
"""


class ListCase(BrowserCase):
    has_worker = False

    def setUp(self) -> None:
        for one in self.server.request("GET", "/api/schedules?limit=200")[1]["items"]:
            self.server.request("DELETE", f"/api/schedules/{one['name']}")

    @classmethod
    def put(cls, name: str, **fields: Any) -> None:
        status, schedule, _ = cls.server.request("PUT", f"/api/schedules/{name}", {"job": NOOP, **fields})
        assert status in (200, 201), schedule

    def read(self, name: str) -> dict[str, Any]:
        return dict(self.server.request("GET", f"/api/schedules/{name}")[1])

    def wait_for_names(self, tab: Tab, names: list[str]) -> None:
        tab.until(f"JSON.stringify({NAMES}) === {json.dumps(json.dumps(names, separators=(',', ':')))}")


class Order(ListCase):
    def test_what_runs_next_is_first_on_board_and_list_and_the_heads_sort(self) -> None:
        for at in range(60):
            self.put(f"tenant-{at:02}", every_s=86_400 + at * 60, paused=at % 20 == 0)
        for name, every_s in (("zz-soon", 1800), ("yy-sooner", 900)):
            self.put(name, every_s=every_s)
        by_next, by_name = (
            [one["name"] for one in self.server.request("GET", f"/api/schedules?sort={sort}&limit=50")[1]["items"]]
            for sort in ("next", "name")
        )
        tab = self.opened("#/schedules")
        self.wait_for_names(tab, by_next)
        self.assertEqual(["yy-sooner", "zz-soon", "tenant-01"], by_next[:3])
        self.assertEqual(by_next[:12], tab.js(ON_BOARD))
        self.assertEqual("Nextascending", tab.js(SORTED_BY))
        tab.wait_for(
            "main .soft", "62 schedules, the next to run first. Times are yours (Europe/Berlin). Next: yy-sooner in"
        )

        tab.click("[data-sort=Name] button")
        self.wait_for_names(tab, by_name)
        self.assertEqual(("#/schedules?sort=name", "Nameascending"), (tab.js("location.hash"), tab.js(SORTED_BY)))
        self.assertEqual("Name", tab.focused())
        tab.press("[")
        tab.until("location.hash.includes('cursor=')")
        tab.wait_for(".schedules", "zz-soon")
        tab.click("[data-sort=Next] button")
        self.wait_for_names(tab, by_next)
        self.assertEqual("#/schedules", tab.js("location.hash"))
        tab.press("[")
        tab.wait_for(".schedules", "tenant-40")
        self.assertEqual(["tenant-00", "tenant-20", "tenant-40"], tab.js(NAMES)[-3:])
        self.assertEqual(12, len(tab.js(NAMES)))
        self.fit(tab)
        tab.js("location.hash = '#/schedules?sort=newest'")
        tab.wait_for(".hollow", "sort must be one of name, next")

    def test_no_row_moves_under_who_is_at_it(self) -> None:
        for name, every_s in (("first", 900), ("second", 1800)):
            self.put(f"still-{name}", every_s=every_s)
        tab = self.opened("#/schedules?name=still")
        self.wait_for_names(tab, ["still-first", "still-second"])
        tab.click(".schedules tbody .switch")
        tab.click("dialog .main")
        tab.wait_for(".schedules tbody tr:first-child .next-run", "paused")
        self.assertEqual(["still-first", "still-second"], tab.js(NAMES))
        self.assertEqual("still-first is on", tab.js("document.activeElement.ariaLabel"))
        self.assertEqual(["still-second"], tab.js(ON_BOARD))

        tab.click("[data-sort=Next] button")
        self.wait_for_names(tab, ["still-second", "still-first"])
        self.assertEqual([], tab.complaints)

    def test_a_server_that_knows_no_order_lists_by_name(self) -> None:
        for name, every_s in (("a", 1800), ("b", 900)):
            self.put(f"old-{name}", every_s=every_s)
        tab = self.opened("#/queues")
        tab.js(OLD_SERVER)
        tab.js("location.hash = '#/schedules?name=old'")
        self.wait_for_names(tab, ["old-a", "old-b"])
        self.assertEqual("Nameascending", tab.js(SORTED_BY))
        tab.wait_for("main .soft", "2 schedules with old in the name, by name")


if __name__ == "__main__":
    unittest.main()
