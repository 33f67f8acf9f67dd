"""The list of schedules: the order that it stands in, and what is done to several of them at once."""

import json
import subprocess
import unittest
from typing import Any

from tests.browser.case import AUDIT, BrowserCase
from tests.browser.tab import Tab
from tests.processes import LIMIT_S

NOOP = {"type": "noop", "payload": {}}
NAMES = "[...document.querySelectorAll('.schedules tbody tr strong')].map(one => one.textContent)"
ON_BOARD = "[...document.querySelectorAll('.board-names a')].map(one => one.textContent)"
SORTED_BY = "[...document.querySelectorAll('th[aria-sort]')].map(one => one.textContent + one.ariaSort).join()"
OLD_SERVER = """
    globalThis.real = fetch, globalThis.refusal = {title: "?", errors: [{pointer: "?sort", detail: "is not known"}]},
    globalThis.fetch = async (path, how) =>
      path.includes("sort=") ? Response.json(refusal, {status: 422}) : real(path, how), 1
"""
HELD = """
    globalThis.real = fetch, globalThis.flown = 0, globalThis.fetch = async (path, how) => {
      if (!path.endsWith("/pause")) return real(path, how);
      const word = await new Promise(done => globalThis.let_go = done);
      how.signal.throwIfAborted();
      if (word === "away") throw new TypeError("no network");
      flown += 1;
      return real(path, how);
    }, 1
"""
"""Each pause waits until the test lets it go."""


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
        self.put("still-third", every_s=60)
        tab.click("dialog .main")
        tab.wait_for(".schedules tbody tr:first-child .next-run", "paused")
        self.assertEqual(["still-first", "still-second", "still-third"], tab.js(NAMES))
        self.assertEqual("still-first is on", tab.js("document.activeElement.ariaLabel"))
        self.assertEqual(["still-second", "still-third"], tab.js(ON_BOARD))

        self.server.request("DELETE", "/api/schedules/still-second")
        tab.press("p")
        tab.wait_for("dialog .main", "Resume it")
        tab.press("Enter")
        self.wait_for_names(tab, ["still-first", "still-third"])
        tab.click("[data-sort=Next] button")
        self.wait_for_names(tab, ["still-third", "still-first"])
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


class Several(ListCase):
    """Several schedules are chosen, and paused, resumed or run at once."""

    def chosen(self, *names: str, **how: Any) -> Tab:
        """A tab with the list by name, in which these are chosen."""
        tab = self.opened("#/schedules?sort=name", **how)
        for name in names:
            tab.click(f"[data-id={name}] .box")
        tab.wait_for(".bulk", f"{len(names)} chosen")
        return tab

    def paused(self) -> list[str]:
        items = self.server.request("GET", "/api/schedules")[1]["items"]
        return [one["name"] for one in items if one["paused"]]

    def paste(self, tab: Tab) -> None:
        """The curl of the dialog, in a shell."""
        subprocess.run(["sh", "-ec", tab.text("dialog .curl")], capture_output=True, timeout=LIMIT_S, check=True)

    def test_those_that_keys_choose_are_paused_and_resumed_after_a_dialog_whose_curl_does_the_same(self) -> None:
        for name in "abcde":
            self.put(name, every_s=3600, paused=name == "c")
        tab = self.opened("#/schedules?sort=name")
        self.wait_for_names(tab, list("abcde"))
        for key in ("j", "x", "j", "j", "j", "X"):
            tab.press(key)
        tab.wait_for(".bulk", "4 chosen")
        tab.wait_for(".bulk [data-act=resume]", "Resume: 1…")
        tab.press("p")
        tab.wait_for("dialog", "a, b, d.")
        tab.wait_for("dialog", "Pause: 3 schedules")
        self.fit(tab)
        self.paste(tab)
        self.assertEqual(["a", "b", "c", "d"], self.paused())
        for name in "abd":
            self.server.request("POST", f"/api/schedules/{name}/resume")
        tab.press("Enter")
        tab.until("!document.querySelector('dialog')")
        self.assertEqual(["a", "b", "c", "d"], self.paused())
        tab.wait_for("main [role=status]", "Paused 3 of 3 schedules.")
        tab.wait_for(".bulk", "1 chosen")
        tab.until("document.querySelectorAll('.schedules [aria-checked=false]').length === 4")

        tab.click(".schedules thead .box")
        tab.wait_for(".bulk", "5 chosen")
        tab.click(".bulk [data-act=resume]")
        tab.wait_for("dialog .main", "Resume: 4")
        self.paste(tab)
        self.assertEqual([], self.paused())
        tab.press("Enter")
        tab.until("!document.querySelector('dialog')")
        self.assertEqual([], tab.complaints)

    def test_each_is_run_once(self) -> None:
        for name in "ab":
            self.put(name, every_s=3600)
        tab = self.chosen("a", "b")
        tab.press("r")
        tab.wait_for("dialog .main", "Run now: 2")
        tab.press("Enter")
        tab.until("!document.querySelector('dialog')")
        self.assertEqual([1, 1], [len(self.read(name)["last_runs"]) for name in "ab"])
        tab.until("document.querySelectorAll('.strip').length === 2")
        tab.until("document.querySelector('.bulk').hidden")

    def test_one_that_is_gone_or_changed_is_told_and_the_others_are_paused(self) -> None:
        for name in ("changed", "gone", "same"):
            self.put(name, every_s=3600)
        tab = self.chosen("changed", "gone", "same")
        tab.click(".bulk [data-act=pause]")
        tab.wait_for("dialog .main", "Pause: 3")
        self.put("changed", every_s=600)
        self.server.request("DELETE", "/api/schedules/gone")
        tab.press("Enter")
        tab.wait_for("dialog [role=status]", "Paused 2 of 3 schedules.")
        tab.wait_for("dialog [role=status]", "gone: There is no schedule 'gone'")
        tab.wait_for("dialog [role=status]", "changed: Every 10 minutes, noop → default")
        self.assertEqual(["changed", "same"], self.paused())
        self.assertEqual({"contrast": [], "names": [], "overflow": [], "targets": []}, tab.js(AUDIT))
        tab.press("Escape")
        tab.until("!document.querySelector('dialog')")

    def test_it_goes_one_after_the_other_and_stops_when_the_page_is_left_or_nothing_answers(self) -> None:
        for name in "abcd":
            self.put(name, every_s=3600)
        tab = self.chosen("a", "b", "c", "d")
        tab.js(HELD)
        tab.press("p")
        tab.wait_for("dialog .main", "Pause: 4")
        tab.press("Enter")
        tab.until("Boolean(globalThis.let_go)")
        self.assertEqual([], self.paused())
        tab.js("let_go('go'), globalThis.let_go = null, 1")
        tab.until("Boolean(globalThis.let_go)")
        tab.wait_for("dialog", "1 of 4 so far")
        tab.js("let_go('away'), globalThis.let_go = null, 1")
        tab.wait_for("dialog [role=alert]", "The server can't be reached")
        tab.wait_for("dialog [role=status]", "Paused 1 of 4 schedules.")
        tab.press("Escape")
        tab.wait_for(".bulk", "3 chosen")
        self.assertEqual(["a"], self.paused())

        tab.press("p")
        tab.wait_for("dialog .main", "Pause: 3")
        tab.press("Enter")
        tab.until("Boolean(globalThis.let_go)")
        tab.js("location.hash = '#/queues'")
        tab.wait_for("h1", "Queues")
        tab.js("let_go('go'), globalThis.let_go = null, 1")
        tab.settle(300)
        self.assertEqual((1, ["a"]), (tab.js("flown"), self.paused()))

    def test_on_a_phone_they_are_chosen_too_and_the_bar_stays_while_the_list_is_read(self) -> None:
        for name in ("one-of-a-rather-long-name-that-wraps", "two"):
            self.put(name, cron="30 2 * * *", timezone="Europe/Berlin")
        tab = self.chosen("two", width=390, height=844)
        self.fit(tab)
        tab.js("document.querySelector('.bulk [data-act=pause]').isMine = true")
        tab.click("[data-id^=one] .switch")
        tab.click("dialog .main")
        tab.wait_for("[data-id^=one] [aria-checked=false]")
        self.assertTrue(tab.js("document.querySelector('.bulk [data-act=pause]').isMine"))


if __name__ == "__main__":
    unittest.main()
