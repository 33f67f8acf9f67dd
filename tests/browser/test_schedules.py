"""The pages of schedules against what the API says: board, list, one schedule, and the editor with its preview."""

import json
import unittest
from typing import Any

from tests.browser.case import AUDIT, BrowserCase
from tests.browser.tab import Tab
from tests.waiting import wait_until

NOOP = {"type": "noop", "payload": {}}
BERLIN: dict[str, Any] = {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}
PREVIEWS = "performance.getEntriesByType('resource').filter(one => one.name.endsWith('/preview')).length"
MANY = 60


class SchedulePages(BrowserCase):
    """With two schedules that run each second: the job of `busy` does not end, those of `deadly` die."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.put("busy", {"type": "sleep", "payload": {"seconds": 600}}, every_s=1)
        cls.put("deadly", {"type": "when_there", "payload": {"until": "/nowhere"}}, every_s=1, overlap="allow")

    @classmethod
    def put(cls, name: str, job: dict[str, Any] = NOOP, **fields: Any) -> dict[str, Any]:
        status, schedule, _ = cls.server.request("PUT", f"/api/schedules/{name}", {**fields, "job": job})
        assert status in (200, 201), schedule
        return dict(schedule)

    def read(self, name: str) -> dict[str, Any]:
        return dict(self.server.request("GET", f"/api/schedules/{name}")[1])

    def fill(self, tab: Tab, field: str, text: str) -> None:
        tab.js(f"document.getElementById('s-{field}').focus(), document.getElementById('s-{field}').select()")
        tab.type(text)

    def fit(self, tab: Tab) -> None:
        self.assertEqual({"contrast": [], "names": [], "overflow": [], "targets": []}, tab.js(AUDIT))

    def press_in_dialog(self, tab: Tab, words: str) -> None:
        """Do what the dialog asks about."""
        tab.wait_for("dialog .curl", "/api/schedules/")
        tab.wait_for("dialog .acts", f"Back{words}")
        tab.click("dialog .acts .button:last-child")
        tab.until("!document.querySelector('dialog')")

    def test_a_new_schedule_is_previewed_while_typed_mended_saved_and_shown(self) -> None:
        tab = self.opened("#/schedules/+new")
        tab.wait_for(".next", "03:00")
        self.fill(tab, "name", "nightly-echo")
        self.fill(tab, "when", "0 0 31 2 *")
        tab.wait_for("#s-when-wrong", "never fires")
        self.assertEqual("true", tab.js("document.getElementById('s-when').ariaInvalid"))
        self.assertEqual(0, tab.count(".next li"))

        asked = tab.js(PREVIEWS)
        tab.js(  # At once: who types slowly is asked for in between.
            "['3', '30', '30 ', '30 2', '30 2 * * *'].map(text => { const field = document.getElementById('s-when');"
            "field.value = text; field.dispatchEvent(new Event('input')); return text; })"
        )
        tab.wait_for(".preview .completed", "Every day at 02:30.")
        self.assertEqual(asked + 1, tab.js(PREVIEWS))
        self.assertEqual(5, tab.count(".next li"))
        self.assertEqual(0, tab.count("#s-when-wrong:not(:empty)"))
        # The reader is in Berlin, and the schedule too, by default.
        tab.wait_for(".note-box", "the clocks of Europe/Berlin skip 02:30: it runs at 03:00 instead.")
        tab.wait_for(".note-box", "show 02:30 twice: it runs the first time.")
        self.fill(tab, "zone", "Asia/Tokyo")
        tab.wait_for(".next", "02:30 in Tokyo")
        self.assertEqual(0, tab.count(".note-box"))

        tab.click(".tabs button:last-child")
        self.fill(tab, "payload-json", '{"subject": 5')
        tab.click("form .main")
        tab.wait_for("#s-payload-json-fault", "JSON")
        self.fill(tab, "payload-json", '{"subject": 5}')
        tab.click("form .main")
        tab.wait_for("#s-payload-json-fault", "/subject must be a string")
        tab.wait_for("[role=alert]", "request dash-")
        self.assertEqual("s-payload-json", tab.js("document.activeElement.id"))
        self.fit(tab)

        tab.js(
            "document.getElementById('s-type').value = 'echo',"
            "document.getElementById('s-type').dispatchEvent(new Event('change'))"
        )
        self.fill(tab, "payload-json", '{"order": 90071992547409931}')
        tab.click(".more-fields:has(#s-rest) summary")
        self.fill(tab, "rest", '{"tags": ["night"]}')
        tab.click("form .main")
        tab.wait_for("h1", "nightly-echo")
        tab.wait_for(".verdict", "Runs in ")
        tab.wait_for(".json", "90071992547409931")
        made = self.read("nightly-echo")
        self.assertEqual(("30 2 * * *", "Asia/Tokyo", "skip"), (made["cron"], made["timezone"], made["overlap"]))
        self.assertEqual(({"order": 90071992547409931}, ["night"]), (made["job"]["payload"], made["job"]["tags"]))
        self.fit(tab)

    def test_an_answer_that_is_out_of_date_is_not_shown_and_one_is_asked_for_at_a_time(self) -> None:
        self.put("slow", **BERLIN)
        tab = self.opened("#/schedules/slow/edit")
        tab.wait_for(".preview .completed", "Every day at 02:30.")
        tab.js(
            "globalThis.flying = 0, globalThis.most = 0, globalThis.real = fetch,"
            "globalThis.fetch = async (...how) => { if (!how[0].endsWith('preview')) return real(...how);"
            "most = Math.max(most, flying += 1); const reply = await real(...how);"
            "await new Promise(go => globalThis.let_go = go); flying -= 1; return reply }, 1"
        )
        self.fill(tab, "when", "60")
        tab.until("flying === 1 && Boolean(globalThis.let_go)")
        self.fill(tab, "when", "120")
        tab.js("new Promise(done => setTimeout(done, 400))")  # Longer than somebody who types is waited for.
        self.assertEqual("Every day at 02:30.", tab.text(".preview .completed"))
        tab.js("let_go(), globalThis.let_go = null, 1")
        tab.until("Boolean(globalThis.let_go)")
        self.assertEqual("Every day at 02:30.", tab.text(".preview .completed"))
        tab.js("let_go(), 1")
        tab.wait_for(".preview .completed", "Every 2 minutes.")
        self.assertEqual(1, tab.js("most"))

    def test_what_others_have_changed_meanwhile_is_told_and_not_overwritten(self) -> None:
        job = {"type": "echo", "payload": {"order": 90071992547409931}}
        self.put("shared", job, **BERLIN, jitter_s=30, starts_at="2026-01-01T00:00:07.125Z")
        tab = self.opened("#/schedules/shared/edit")
        tab.wait_for(".next", "02:30")
        self.put("shared", job, **BERLIN, overlap="allow")
        self.fill(tab, "when", "45 2 * * *")
        tab.click("form .main")
        tab.wait_for("[role=alert]", "Somebody has changed the schedule")
        self.assertEqual(("30 2 * * *", "allow"), (self.read("shared")["cron"], self.read("shared")["overlap"]))

        tab.click(".told .button")
        tab.wait_for("h1", "shared")
        tab.wait_for(".verdict", "Runs in ")
        mine = self.read("shared")
        kept = (mine["cron"], mine["overlap"], mine["jitter_s"], mine["starts_at"], mine["job"]["payload"]["order"])
        self.assertEqual(("45 2 * * *", "skip", 30, "2026-01-01T00:00:07.125Z", 90071992547409931), kept)

        tab.js("location.hash = '#/schedules/shared/edit'")
        tab.wait_for(".preview .next", "02:45")
        self.server.request("DELETE", "/api/schedules/shared")
        tab.click("form .main")
        tab.wait_for("[role=alert]", "Somebody has deleted the schedule")
        tab.click(".told .button")
        tab.wait_for(".verdict", "Runs in ")
        self.assertEqual("45 2 * * *", self.read("shared")["cron"])

        tab.js("location.hash = '#/schedules/+new'")
        tab.wait_for(".preview .next", "03:00")
        self.fill(tab, "name", "shared")
        tab.click("form .main")
        tab.wait_for("#s-name-wrong", "is taken")
        self.fill(tab, "name", "elsewhere")
        self.fill(tab, "queue", "reports")
        tab.click("form .main")
        tab.wait_for("h1", "elsewhere")
        wait_until(lambda: self.read("elsewhere").get("queue") == "reports", "it is made")

    def test_one_is_run_paused_resumed_and_deleted(self) -> None:
        self.put("report", every_s=3600)
        tab = self.opened("#/schedules/report")
        tab.wait_for(".verdict", "Runs in 60 min")
        tab.wait_for(".outcomes", "None so far.")
        tab.click("[data-act=run]")
        self.press_in_dialog(tab, "Run it now")
        tab.wait_for("[role=status] .link", "default-")
        tab.wait_for(".outcomes .completed", "completed")
        tab.wait_for(".outcomes", "somebody had it run")
        (run,) = self.read("report")["last_runs"]
        self.assertEqual(f"#/jobs/{run['job_id']}", tab.js("document.querySelector('.outcomes a').hash"))

        tab.press("p")
        self.press_in_dialog(tab, "Pause it")
        tab.wait_for(".verdict", "Paused.")
        self.assertTrue(self.read("report")["paused"])
        tab.press("p")
        self.press_in_dialog(tab, "Resume it")
        tab.wait_for(".verdict", "Runs in ")
        self.assertFalse(self.read("report")["paused"])
        tab.press("y")
        tab.wait_for("dialog .curl", '"every_s":3600')
        tab.press("Escape")

        tab.click("[data-act=delete]")
        self.press_in_dialog(tab, "Delete the schedule")
        tab.wait_for("h1", "Schedules")
        self.assertEqual(404, self.server.request("GET", "/api/schedules/report")[0])
        self.assertEqual([], tab.complaints)
        self.opened("#/schedules/report").wait_for("h3", "There is no such schedule")

    def test_what_was_skipped_or_died_is_told_with_its_reason(self) -> None:
        tab = self.opened("#/schedules/busy")
        tab.wait_for(".outcomes .cancelled", "skipped")
        tab.wait_for(".outcomes td.full", "this job had not ended")
        (running,) = self.read("busy")["last_runs"]
        self.assertEqual(f"#/jobs/{running['job_id']}", tab.js("document.querySelector('.outcomes a').hash"))

        wait_until(
            lambda: [one["state"] for one in self.read("deadly")["last_runs"]].count("dead") > 2, "some have died"
        )
        self.server.request("POST", "/api/schedules/deadly/pause")
        tab.js("location.hash = '#/schedules?name=dea'")
        tab.wait_for(".schedules", "deadly")
        tab.until("document.querySelectorAll('.strip a .run-dead').length > 2")
        newest = self.read("deadly")["last_runs"][0]["job_id"]
        link = "[...document.querySelectorAll('.strip a')].at(-1).getAttribute('href')"
        tab.until(f"{link} === '#/jobs/{newest}'")
        self.fit(tab)

    def test_the_board_and_the_list_are_those_of_the_api_however_many_there_are(self) -> None:
        self.put("minutely", cron="* * * * *")
        self.put("some-mornings", cron="0 6,7 * * *", timezone="Europe/Berlin")
        for at in range(MANY):
            self.put(f"tenant-{at:03}", every_s=86400 * 3, paused=at > 0)
        tab = self.opened("#/schedules")
        tab.wait_for("main .soft", "schedules, the next to run first")
        tab.wait_for("tfoot, footer", "50 of ")
        tab.press("[")
        tab.until("location.hash.includes('cursor=')")
        tab.wait_for(".schedules", f"tenant-{MANY - 1:03}")

        tab.js("location.hash = '#/schedules?name=m'")
        tab.wait_for("main .soft", "2 schedules with m in the name")
        tab.wait_for(".board", "some-mornings")
        day = self.server.request("GET", "/api/schedules?name=some&day=true")[1]["day"][0]["runs"]
        self.assertTrue(day)  # Two runs, but for the day on which the clocks are set back.
        titles = json.loads(
            tab.js("JSON.stringify([...document.querySelectorAll('.board circle')].map(one => one.textContent))")
        )
        mornings = [one for one in titles if one.startswith("some-mornings")]
        self.assertEqual([], [t for t, one in zip(day, mornings, strict=True) if t[:19].replace("T", " ") not in one])
        self.assertLess(tab.count(".board svg *"), 80)
        self.assertIn("minutely: every minute", tab.js("document.querySelector('.board svg').ariaLabel"))

        tab.js("document.querySelector('.find.short input').select()")
        tab.press("f")
        tab.js("document.querySelector('.find.short input').select()")
        tab.type("TENANT-00")
        tab.wait_for("main .soft", "10 schedules with tenant-00 in the name")
        self.assertEqual("#/schedules?name=tenant-00", tab.js("location.hash"))
        self.assertEqual(10, tab.count(".schedules tbody tr"))
        tab.wait_for(".board", "tenant-000")
        self.assertEqual(1, tab.count(".board li"))
        tab.click(".schedules tbody tr:nth-child(2) .switch")
        self.press_in_dialog(tab, "Resume it")
        tab.until("document.querySelectorAll('.schedules [aria-checked=true]').length === 2")
        self.assertFalse(self.read("tenant-001")["paused"])
        self.fit(tab)
        self.assertEqual([], tab.complaints)


if __name__ == "__main__":
    unittest.main()
