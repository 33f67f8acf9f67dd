"""Texts that others wrote, as hostile and as large as the API takes them, on every page that shows them: nothing but
text is made of them, nothing hides in them, the page stays as wide as its window, and the tab goes on."""

import json
import time
import unittest
from typing import Any, ClassVar

from tests.browser.case import AUDIT, MODULES, BrowserCase
from tests.browser.hostile_jobs import HIDDEN, MARKUP, NAMES, TEXTS, TYPE
from tests.browser.tab import Tab
from tests.waiting import wait_until

MOST_HELD_MS = 5000
"""How long the tab may be held up at a time. A machine that runs other tests beside is slow; it prints what it took."""
MOST_SHOWN = 100_000
"""Characters of a payload in the page. With 20,000 more asked for, a payload of a MiB shows fewer."""
MADE = """
  [...document.querySelectorAll("img, script:not([src='dashboard/app.js']), iframe, object, embed, style, base, math")]
    .map(one => one.outerHTML.slice(0, 200))
    .concat([...document.querySelectorAll("main a")].map(one => one.getAttribute("href")).filter(to => to[0] !== "#"))
    .concat([...document.querySelectorAll("main *")].flatMap(one => one.getAttributeNames()
      .filter(name => name.startsWith("on") || (name === "style" && /[:]fixed/.test(one.getAttribute(name))))))
"""
HELD = """
  new PerformanceObserver(list => list.getEntries().forEach(one => (window.held_ms = Math.max(held_ms, one.duration))))
    .observe({type: 'longtask'})
"""
UNFOLD = "document.querySelectorAll('.json details, .stackbox').forEach(one => (one.open = true))"
MORE = "[...document.querySelectorAll('.json .button.tiny')]"


class Hostile(BrowserCase):
    modules: ClassVar[str] = f"{MODULES},tests.browser.hostile_jobs"

    def go(self, tab: Tab, hash: str, words: str) -> None:
        tab.js(f"window.held_ms = 0, location.hash = {json.dumps(hash)}")
        tab.wait_for("main", words)
        tab.until("![...document.querySelectorAll('.ghost')].some(one => one.checkVisibility())")
        tab.settle()

    def ended(self, payload: dict[str, Any], **fields: Any) -> str:
        job_id = self.post(TYPE, payload, **fields)
        ends = ("completed", "dead")
        wait_until(lambda: self.server.request("GET", f"/api/jobs/{job_id}")[1]["state"] in ends, "the job has ended")
        return job_id

    def expect_whole(self, tab: Tab) -> None:
        """Nothing was made, nothing sticks out, all can be read."""
        self.assertEqual([], tab.js(MADE))
        self.assertEqual({}, tab.js("Object.assign({}, Object.prototype)"))
        for width in (390, 1440):
            tab.resize(width, 900)
            tab.settle()
            self.assertEqual({"contrast": [], "names": [], "overflow": [], "targets": []}, tab.js(AUDIT))
        self.assertNotIn(tab.js("document.title"), ("owned", "1"))
        self.assertEqual([], tab.complaints)

    def serve_by_a_hostile_worker(self) -> None:
        """One that has registered itself with a name, a host and a version as no Waybill has them."""
        about = {
            "host": MARKUP[0] + HIDDEN[0],
            "pid": MARKUP[1],
            "version": MARKUP[2],
            "lease_s": 3600,
            "concurrency": 5,
        }
        client, runner_id = self.redis.client, MARKUP[0] + HIDDEN[0]
        client.hset("wb:{default}:workers", runner_id, json.dumps(about))
        client.hset("wb:{default}:beats", runner_id, f"1:{round(time.time() * 1000)}")

    def test_markup_and_hidden_characters_are_shown_as_text_on_every_page(self) -> None:
        self.serve_by_a_hostile_worker()
        names = {**dict.fromkeys(TEXTS, 1), **{name: {"polluted": 1} for name in NAMES}}
        payload = {"to": MARKUP[0], "subject": HIDDEN[0], "texts": TEXTS, "names": names, "log": TEXTS}
        request = {"tags": ["a/..:/-_" * 8], "group": "../..@:/" * 16}
        whole = self.ended({**payload, "numbers": [1e308, 5e-324, -0.0, 10**300]}, **request)
        dead = self.ended({"fail": "".join(TEXTS), "name": MARKUP[0] + HIDDEN[0] + "N" * 300, "log": ["x"]}, **request)
        request_id = self.server.request("GET", f"/api/jobs/{dead}")[1]["request_id"]
        pages = (
            (f"#/jobs/{whole}", "Completed on the first"),
            (f"#/jobs/{dead}", "Dead after 1 of 1"),
            (f"#/requests/{request_id}", "Attempt 1"),
            ("#/", "1 died"),
            ("#/jobs", " shown"),
            (f"#/jobs?q={MARKUP[9]}&type={TYPE}&tag={request['tags'][0]}", "Looked at"),
            ("#/jobs?state=__proto__", "state"),
            ("#/jobs?state=constructor", "state"),
            ("#/jobs?order=constructor", "order"),
            ("#/queues/default", "Failing"),
            ("#/workers", "onerror"),
        )
        tab = self.opened()
        for hash, words in pages:
            with self.subTest(hash[:40]):
                self.go(tab, hash, words)
                tab.js(UNFOLD)
                if "__proto__" in hash or "constructor" in hash:  # The API refuses it, and the browser says that.
                    tab.complaints = [one for one in tab.complaints if "422" not in one]
                self.expect_whole(tab)
                self.assertNotRegex(tab.js("document.querySelector('main').innerText"), r"[\u202e\u2066\u200b\u3164]")
        tab.press("/")
        tab.type("constructor:")
        tab.press("Enter")
        tab.until("location.hash === '#/jobs?q=constructor%3A'")
        self.expect_whole(tab)

        self.go(tab, *pages[0])
        for text in ("U+202E", "U+2028 U+2029", "U+E0041", "<img src=x onerror", "\\u003c"):
            tab.wait_for(".halves", text)
        tab.press("y")
        curl = tab.text("dialog .curl")
        self.assertIn("\\u202egpj.exe", curl)
        self.assertIn("'\\''; rm -rf / #", curl)
        self.assertNotIn("\u202e", curl)

    def test_a_mebibyte_of_payload_does_not_hold_the_tab_up(self) -> None:
        payloads: dict[str, Any] = {
            "one text": {"text": "W" * 1_000_000},
            "words": {"text": "lorem <b>ipsum</b> " * 50_000},
            "one name": {"W" * 1_000_000: 1},
            "hidden characters": {"text": "a\u200b" * 100_000},
            "10,000 names": {f"name-{n}": n for n in range(10_000)},
            "10,000 objects": {"all": {f"name-{n}" * 3: {"n": n} for n in range(10_000)}},
        }
        deep: Any = 1
        for _ in range(45):
            deep = [{"deep": deep}]
        payloads["90 levels"] = {"deep": deep}
        ids = {name: self.ended(payload) for name, payload in payloads.items()}
        held, tab = {}, self.opened()
        tab.js(HELD)
        for name, job_id in ids.items():
            with self.subTest(name):
                self.go(tab, f"#/jobs/{job_id}", job_id)
                tab.wait_for(".json")
                tab.js(f"{MORE}[0]?.click()")
                tab.settle()
                held[name] = round(tab.js("held_ms"))
                self.assertLess(held[name], MOST_HELD_MS)
                self.assertLess(tab.js("document.querySelector('main').textContent.length"), MOST_SHOWN)
                self.assertEqual([1440, []], [tab.js("document.documentElement.scrollWidth"), tab.complaints])
        print(f"held up at most, in ms: {held}")


if __name__ == "__main__":
    unittest.main()
