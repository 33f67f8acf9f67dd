"""The pages of queues and workers against what the API says: numbers that change in place, acts to their effect."""

import json
import os
import signal
import unittest
from typing import Any
from urllib.parse import quote

from tests.browser.case import MODULES, BrowserCase
from tests.browser.held import held
from tests.processes import Worker
from tests.waiting import wait_until

QUEUES = 490
"""Of tenants. With those of other tests there are about 500, which one answer of the API has."""
MOST_LIST_MS = 5000
"""From the navigation to all rows. A machine that runs other tests beside is slow; it prints what it took."""
ROWS = "[...document.querySelectorAll('.queues-all tbody tr')]"
LISTED_MS = (
    f"new Promise(done => (function look() {{ {ROWS}.length < {QUEUES} ? requestAnimationFrame(look)"
    ": done(performance.now()) })())"
)


class QueuePages(BrowserCase):
    def queue(self, name: str) -> dict[str, Any]:
        queue: dict[str, Any] = self.server.request("GET", f"/api/queues/{name}")[1]
        return queue

    def fill(self, name: str, count: int) -> None:
        jobs = [{"type": "noop", "payload": {}, "queue": f"{name}-{n:03}", "delay_s": 3600} for n in range(count)]
        self.assertEqual(200, self.server.request("POST", "/api/jobs/batch", jobs)[0])

    def test_five_hundred_queues_are_listed_found_sorted_and_changed_in_place(self) -> None:
        self.fill("tenant", QUEUES)
        tab = self.opened("#/queues")
        took_ms = tab.js(LISTED_MS)
        print(f"{QUEUES} queues listed after {took_ms:.0f} ms")
        self.assertLess(took_ms, MOST_LIST_MS)
        tab.wait_for("#live", "Live")

        self.type_into(tab, ".find.short input", "tenant-04")
        tab.until(f"{ROWS}.filter(row => row.checkVisibility()).length === 10")
        tab.wait_for("main .soft", "10 of ")
        row = f"{ROWS}.find(row => row.textContent.startsWith('tenant-042'))"
        count = tab.js(f"{row}.isMine = true, {ROWS}.length")
        self.post("noop", {}, queue="tenant-042")
        tab.until(f"{row}.querySelector('[data-label=ready]').textContent === '1'")
        tab.wait_for(".queues-all .pill", "no worker")
        self.assertEqual([True, count], tab.js(f"[{row}.isMine, {ROWS}.length]"))

        tab.click("[data-sort=Ready] button")
        self.assertEqual("descending", tab.js("document.querySelector('[data-sort=Ready]').ariaSort"))
        self.assertTrue(tab.js(f"{ROWS}[0] === {row}"))
        self.post("noop", {}, queue="tenant-04-new", delay_s=3600)
        tab.until(f"{ROWS}.filter(row => row.checkVisibility()).length === 11")
        self.fit(tab)

        self.fill("unit", 60)  # More than one answer has: the server finds those that it lacks.
        tab = self.opened("#/queues")
        tab.wait_for("main .soft", "find the others by name")
        self.assertEqual(500, tab.js(f"{ROWS}.length"))
        self.type_into(tab, ".find.short input", "unit-05")
        tab.until(f"{ROWS}.filter(row => row.checkVisibility()).length === 10")
        self.assertEqual([], tab.complaints)

        with held(tab, "*/api/queues?sort=*") as answers:
            tab.call("Page.reload")
            answers.wait_for()
            self.type_into(tab, ".find.short input", "unit-04")  # Before it is known that one answer lacks some.
        tab.until(f"{ROWS}.filter(row => row.checkVisibility()).length === 10")

    def test_the_overview_tells_all_queues_that_share_a_trouble_at_once(self) -> None:
        """Of 500 queues without a worker the list of the worst has 25: nobody may read that 475 keep up."""
        jobs = [{"type": "noop", "payload": {}, "queue": f"unserved-{n:02}"} for n in range(30)]
        self.assertEqual(200, self.server.request("POST", "/api/jobs/batch", jobs)[0])
        tab = self.opened()
        counts = "one => /^Nobody serves (\\d+) queues$/.exec(one.textContent)?.[1] >= 30"
        tab.until(f"[...document.querySelectorAll('.alert h2')].some({counts})")
        tab.wait_for(".alert", " others.")
        tab.click(".alert a[href='#/queues']")
        tab.wait_for("h1", "Queues")
        self.assertEqual([], tab.complaints)

    def test_a_pause_and_a_resume_take_effect(self) -> None:
        self.post("noop", {})
        self.redis.client.lpush("wb:{default}:ready:normal", "<b>left by hand")
        wait_until(lambda: self.queue("default")["quarantine"], "what is no job is found")
        tab = self.opened("#/queues/default")
        tab.wait_for("[aria-label=Quarantine] code", "<b>left by hand")
        tab.wait_for("[aria-label='By type, ever']", "noop")
        tab.until("!document.querySelector('.head .button').disabled")
        tab.click(".head .button")
        tab.wait_for("dialog", "No worker begins a job of it")
        self.assertTrue(self.pasted(tab)["paused"])
        self.server.request("PATCH", "/api/queues/default", {"paused": False})
        tab.click("dialog .main")
        tab.wait_for(".head .button", "Resume")
        tab.wait_for("h1 .pill", "paused")
        self.assertTrue(self.queue("default")["paused"])
        waits = self.post("noop", {})

        tab.press("p")
        tab.wait_for("dialog", "Workers begin its jobs again")
        self.assertFalse(self.pasted(tab)["paused"])
        self.server.request("PATCH", "/api/queues/default", {"paused": True})
        tab.press("Enter")
        tab.wait_for(".head .button", "Pause")
        self.assertFalse(self.queue("default")["paused"])
        wait_until(lambda: self.server.request("GET", f"/api/jobs/{waits}")[1]["state"] == "completed", "it runs")
        tab.until("!document.querySelector('h1 .pill')")

    def test_limits_are_set_and_what_another_has_set_stays(self) -> None:
        jobs = [{"type": "noop", "payload": {}, "queue": "bounded", "group": f"tenant-{n:02}"} for n in range(52)]
        self.assertEqual(200, self.server.request("POST", "/api/jobs/batch", jobs)[0])
        self.server.request("PATCH", "/api/queues/bounded", {"max_depth": 90})
        tab = self.opened("#/queues/bounded")
        tab.wait_for(".facts", "90 jobs at most")
        tab.wait_for("[aria-label=Groups] footer", "1 to 50, by name; there are more")
        tab.click("[aria-label=Groups] footer button")
        tab.wait_for("[aria-label=Groups] footer", "51 to 52, by name")
        tab.wait_for("[aria-label=Groups] tbody", "tenant-51")
        tab.click(".panel header .button")
        self.server.request("PATCH", "/api/queues/bounded", {"max_depth": 70})
        self.type_into(tab, "#q-concurrency", "3")
        self.type_into(tab, "#q-rate-limit", "20")
        self.type_into(tab, "#q-rate-per_s", "0.5")
        self.fit(tab)
        set_by_curl = self.pasted(tab)
        self.assertEqual((3, {"limit": 20, "per_s": 0.5}), (set_by_curl["concurrency"], set_by_curl["rate"]))
        self.type_into(tab, "#q-concurrency", "4")
        tab.click("dialog .main")
        tab.wait_for("dialog [role=status]", "They hold from now on")
        tab.press("Escape")
        tab.wait_for(".facts", "4 jobs")
        tab.wait_for(".facts", "20 starts in 500 ms")
        self.assertEqual((4, 70), (self.queue("bounded")["concurrency"], self.queue("bounded")["max_depth"]))

    def test_limits_of_each_group_are_set_and_faults_stand_at_their_fields(self) -> None:
        self.post("noop", {}, queue="tenants", group="a")
        self.server.request("PATCH", "/api/queues/tenants", {"concurrency": 9, "groups": {"concurrency": 2}})
        tab = self.opened("#/queues/tenants")
        tab.wait_for(".facts", "2 at once")
        tab.click(".panel header .button")
        tab.wait_for(".curl", "Nothing is changed yet.")
        self.server.request("PATCH", "/api/queues/tenants", {"groups": {"concurrency": 3}})
        self.type_into(tab, "#q-groups-rate-limit", "5")
        self.type_into(tab, "#q-groups-rate-per_s", "90000")
        self.type_into(tab, "#q-concurrency", "200000")
        self.type_into(tab, "#q-groups-max_depth", "40")
        tab.click("dialog .main")
        tab.wait_for("#q-groups-rate-per_s-wrong", "must be a number of seconds from 0.001 to 86400")
        tab.wait_for("#q-concurrency-wrong", "must be an integer from 1 to 100000")
        self.assertEqual("q-concurrency", tab.js("document.activeElement.id"))
        self.assertEqual(0, tab.count("dialog [role=status] li"), "what stands at a field is not told twice")
        (refused,) = tab.complaints
        self.assertIn("422", refused)
        tab.complaints.clear()
        self.fit(tab)

        self.type_into(tab, "#q-concurrency", "")
        self.assertEqual(0, tab.count("#q-concurrency-wrong:not(:empty)"))
        self.type_into(tab, "#q-groups-rate-per_s", "0.5")
        limits = {"concurrency": 3, "rate": {"limit": 5, "per_s": 0.5}, "max_depth": 40}
        set_by_curl = self.pasted(tab)
        self.assertEqual((None, limits), (set_by_curl["concurrency"], set_by_curl["groups"]))
        self.type_into(tab, "#q-groups-max_depth", "")
        tab.click("dialog .main")
        tab.wait_for("dialog [role=status]", "They hold from now on")
        tab.press("Escape")
        tab.wait_for(".facts", "3 at once, 5 starts in 500 ms")
        self.assertEqual({**limits, "max_depth": 40}, self.queue("tenants")["groups"], "what is as before is not sent")

    def die(self, count: int, flag: str) -> None:
        before = self.queue("email")["counts"]["dead"]
        for _ in range(count):
            self.post("when_there", {"until": flag}, queue="email", max_attempts=1)
        wait_until(lambda: self.queue("email")["counts"]["dead"] == before + count, "they die")

    def test_dead_jobs_are_redriven_by_keys_alone_and_deleted_as_counted(self) -> None:
        flag = self.server.folder / "there"
        self.die(3, str(flag))
        tab = self.opened()
        tab.wait_for(".queues", "email")
        tab.press("g")
        tab.press("q")
        tab.wait_for(".queues-all", "email")
        tab.press("f")
        tab.type("email")
        tab.tab_to("email")
        tab.press("Enter")
        tab.wait_for(".alert", "Jobs of email die")
        self.assertEqual("#/jobs?queue=email&state=dead", tab.js("document.querySelector('.alert a').hash"))
        marks = "[...document.querySelectorAll('h1 .pill')].map(one => one.textContent).join()"
        for is_paused, words in ((False, "dying"), (True, "dying,paused"), (False, "dying")):
            self.server.request("PATCH", "/api/queues/email", {"paused": is_paused})
            tab.until(f"{marks} === '{words}'")
        tab.wait_for(".err", "FileNotFoundError")
        flag.touch()
        tab.tab_to("Run dead again…")
        tab.press("Enter")
        tab.wait_for("dialog .main", "Run 3 again")
        tab.wait_for("dialog", "3 dead jobs of email will run again")
        self.fit(tab)
        tab.tab_to("Run 3 again")
        tab.press("Enter")
        tab.wait_for("dialog [role=status]", "3 jobs will run again.")
        wait_until(lambda: self.queue("email")["totals_by_type"]["when_there"].get("completed") == 3, "they run")

        flag.unlink()
        self.die(2, str(flag))
        flag.touch()
        self.assertEqual(2, self.pasted(tab)["redriven"])
        wait_until(lambda: self.queue("email")["totals_by_type"]["when_there"].get("completed") == 5, "they run too")
        self.assertEqual("Close", tab.focused())
        tab.press("Enter")
        tab.until("!document.querySelector('dialog')")
        self.assertEqual("Run dead again…", tab.focused(), "the focus is given back")

        flag.unlink()
        self.die(1, str(flag))
        tab.click(".head .danger")
        tab.wait_for("dialog .danger", "Delete 1")
        self.assertEqual(1, self.pasted(tab)["deleted"])
        tab.press("Escape")

        self.die(1, str(flag))
        tab.click(".head .danger")
        tab.wait_for("dialog .danger", "Delete 1")
        tab.click("dialog .danger")
        tab.wait_for("dialog [role=status]", "Deleted: 1 job.")
        tab.press("Escape")
        self.assertEqual(0, self.queue("email")["counts"]["dead"])
        tab.until("[...document.querySelectorAll('.counts .pair')].some(one => one.textContent === 'dead0')")

    def test_a_receiver_rests_goes_on_and_is_paused(self) -> None:
        host = "api.example.com:443"
        self.opened("#/hosts").wait_for("h3", "No webhook so far")
        with Worker(self.redis.url, JOB_MODULES=MODULES, WORKER_QUEUES="webhook=1"):
            self.post("hold", {"seconds": 600}, queue="webhook", group=host)
            wait_until(lambda: self.queue("webhook")["counts"]["delayed"] == 1, "the host has asked for a pause")
            tab = self.opened("#/hosts")
            tab.wait_for("main td", "Rests: it asked for a pause, until ")
            self.post("noop", {}, queue="webhook", group=host)
            tab.wait_for("[data-label=waiting]", "1")
            self.fit(tab)
            tab.click("td .acts .button")
            tab.wait_for("dialog", "Webhooks go to it again")
            self.assertEqual(host, self.pasted(tab)["name"])
            self.post("hold", {"seconds": 600}, queue="webhook", group=host)
            wait_until(lambda: self.reason() == "retry_after", "it rests again")
            tab.click("dialog .main")
            tab.wait_for("main td", "Takes what comes.")
            wait_until(lambda: self.queue("webhook")["counts"]["completed"] == 1, "what waited has run")
            tab.wait_for("td .acts .button:only-child", "Pause")
            tab.click("td .acts .button")
            tab.wait_for("dialog", "No webhook goes to it")
            self.assertEqual("paused", self.pasted(tab)["limited_by"])
            self.server.request("PATCH", f"/api/queues/webhook/groups/{quote(host, safe='')}", {"paused": False})
            tab.click("dialog .main")
            tab.wait_for("main td", "Rests: it is paused.")
        self.assertEqual("paused", self.reason())

    def reason(self) -> str | None:
        reason: str | None = self.server.request("GET", "/api/hosts")[1]["items"][0]["reason"]
        return reason

    def test_workers_run_are_of_another_version_drain_and_are_gone(self) -> None:
        flag = self.server.folder / "go-on"
        with Worker(self.redis.url, JOB_MODULES=MODULES, WORKER_QUEUES="slow=2", LEASE_S=6) as other:
            (pid,) = other.runner_pids()
            ((runner, about),) = self.redis.client.hgetall("wb:{slow}:workers").items()
            older = json.dumps({**json.loads(about), "version": "0.2.9"})
            self.redis.client.hset("wb:{slow}:workers", runner, older)
            job_id = self.post("sleep", {"until": str(flag)}, queue="slow")
            host, _, own = runner.decode().partition(".")
            name = f"{host} · {own}"
            tab = self.opened(f"#/jobs/{job_id}")
            tab.wait_for(".tries", name)
            tab.wait_for(".facts", name)
            tab.js("location.hash = '#/workers'")
            tab.wait_for(".workers", "slow 2")
            tab.wait_for(".workers .run", "sleep")
            tab.wait_for(".alert", "0.2.9 on ")
            tab.wait_for("main .soft", "2 runners on 1 host")
            row = f"[...document.querySelectorAll('tbody')].find(one => one.textContent.startsWith('{name}'))"
            self.assertIn(f"process {pid}", tab.js(f"{row}.textContent"))
            tab.until(f"{row}?.querySelector('[data-label=jobs]').textContent === '1 of 2'")
            other.signal(signal.SIGTERM)
            tab.until(f"{row}.querySelector('.pill')?.textContent === 'draining'")
            tab.wait_for("main .soft", "1 draining")
            tab.until(f"{row}.querySelector('[data-label=memory]').textContent.endsWith('MB')")
            self.fit(tab)

            flag.touch()
            tab.wait_for("[aria-label='Gone within a day']", f"{name} left")
            tab.wait_for("main .soft", "1 runner on 1 host")
            self.assertEqual(0, tab.count(".alert"))


class NoWorker(BrowserCase):
    has_worker = False

    def test_runners_that_were_killed_with_all_others_are_silent_until_a_worker_is_there(self) -> None:
        about = {"JOB_MODULES": MODULES, "WORKER_QUEUES": "slow=2", "LEASE_S": 2}
        with Worker(self.redis.url, **about) as killed:
            (pid,) = killed.runner_pids()
            ((runner, _),) = self.redis.client.hgetall("wb:{slow}:workers").items()
            own = runner.decode().partition(".")[2]
            tab = self.opened("#/workers")
            tab.wait_for(".workers", "slow 2")
            for stop in (signal.SIGSTOP, signal.SIGKILL):  # None of them sees another one end.
                for one in (killed.pid, pid):
                    os.kill(one, stop)
        gone = "[aria-label='Silent, or gone within a day']"
        tab.wait_for(gone, f"· {own} silent: no worker has noticed")
        tab.wait_for(gone, "its jobs go back to their queues once a worker is there")
        tab.wait_for("main h3", "No worker is there")
        self.fit(tab)

        with Worker(self.redis.url, **about):
            tab.wait_for("[aria-label='Gone within a day']", f"· {own} its heartbeats stopped")
        self.assertEqual([], tab.complaints)


if __name__ == "__main__":
    unittest.main()
