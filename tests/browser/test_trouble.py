"""What the pages say when things go badly: what is worst first, with its number, its reason, and a way on."""

import unittest
from typing import ClassVar

from tests.browser.case import MODULES, BrowserCase
from tests.browser.held import held
from tests.browser.tab import Tab
from tests.processes import Worker
from tests.waiting import wait_until

QUEUES = ("images", "mails", "other", "payments")


class Overview(BrowserCase):
    has_worker: ClassVar[bool] = False

    def die(self, queue: str, count: int) -> None:
        """Have so many jobs of a queue die, and wait for it."""
        for _ in range(count):
            self.post("when_there", {"until": "/nowhere/at-all"}, queue=queue)
        path = f"/api/queues/{queue}"
        wait_until(lambda: self.server.request("GET", path)[1]["counts"]["dead"] == count, "they are dead")

    def alerts(self, tab: Tab) -> list[str]:
        titles: list[str] = tab.js("[...document.querySelectorAll('.alert h2')].map(one => one.textContent)")
        return titles

    def test_without_a_worker_nothing_runs_and_with_one_the_worst_comes_first_as_soon_as_it_is_bad(self) -> None:
        for at, queue in enumerate(QUEUES):
            for _ in range(at + 1):
                self.post("noop", {}, queue=queue)
        tab = self.opened()
        tab.wait_for(".alert", "payments (4 waiting), other (3 waiting), mails (2 waiting) and 1 other.")
        self.assertEqual(["No worker is running: jobs wait", "Nobody serves 4 queues"], self.alerts(tab))
        tab.wait_for(".head .soft", "Nothing runs: there is no worker.")
        tab.wait_for(".tile .note", ", in images · curve: arrivals")

        with Worker(self.redis.url, JOB_MODULES=MODULES, WORKER_QUEUES=",".join(f"{one}=2" for one in QUEUES)):
            tab.wait_for("h1", "Nothing needs you")
            tab.wait_for(".head .soft", "All runs: 1 worker")
            tab.wait_for(".tile .note", "10 in the last hour")
            first = "document.querySelector('.queues tbody tr')"
            with held(tab, "*/api/queues?sort=*"):  # The stream alone tells of what follows.
                self.die("payments", 3)
                tab.until(f"{first}.textContent.startsWith('paymentsdying')")
                self.assertEqual("One thing needs you", tab.text("h1"))
                tab.wait_for(".head .soft", "Everything else runs: 1 worker")
            tab.wait_for(".alert", "within the last hour. Most often FileNotFoundError: it is not there yet.", 40)
            self.die("images", 1)
            self.die("mails", 2)
            tab.wait_for("h1", "Three things need you")
            dying = [f"Jobs of {queue} die" for queue in ("payments", "mails", "images")]
            tab.until("[...document.querySelectorAll('.alert p')].at(-1).textContent.startsWith('1 job has died')")
            self.assertEqual(dying, self.alerts(tab))
            self.die("other", 4)
            tab.wait_for(".alert", "other (4 dead), payments (3 dead), mails (2 dead) and 1 other.")
            tab.js("location.hash = '#/queues/mails'")
            tab.wait_for(".alert", "within the last hour. Most often FileNotFoundError: it is not there yet.")
            self.assertEqual([], tab.complaints)


class Pages(BrowserCase):
    def test_an_error_tells_how_many_died_and_each_message_leads_to_its_jobs(self) -> None:
        for text in ('"disk 12" of ann@example.com is full', "disk is slow"):
            self.post("fail", {"text": text}, max_attempts=1)
        tab = self.opened("#/errors")
        tab.wait_for("main .soft", "Last hour: 2 died, 0 retried, of 1 kind.")
        tab.wait_for(".errors th", "Died")
        self.assertRegex(tab.text(".errors [data-label=since]"), r"^about \d\d:\d[05]$")
        self.fit(tab)
        tab.js("[...document.querySelectorAll('.errors li a')].find(one => /full/.test(one.textContent)).click()")
        tab.wait_for("main", "1 found.")
        self.assertIn("q=is+full", tab.js("location.hash").replace("%20", "+"))
        self.assertEqual([], tab.complaints)

    def test_a_queue_whose_rate_is_used_up_says_so_of_its_groups_too(self) -> None:
        self.server.request("PATCH", "/api/queues/email", {"rate": {"limit": 1, "per_s": 600}})
        for _ in range(3):
            self.post("noop", {}, queue="email", group="ann")
        tab = self.opened("#/queues/email")
        tab.wait_for(".facts", "The rate limit is used up until ")
        tab.wait_for("[aria-label=Groups] td", "of the whole queue the rate limit is used up until ")
        self.fit(tab)


if __name__ == "__main__":
    unittest.main()
