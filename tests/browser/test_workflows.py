"""#/workflows/<id>: the graph of a workflow with each state, what holds it up, its buttons; and the list of them."""

import json
import subprocess
import unittest
from typing import Any

from tests.browser.case import AUDIT, BrowserCase
from tests.browser.tab import Tab
from tests.waiting import wait_until

Body = dict[str, Any]
HOSTILE = "<img src=x onerror=\"document.title='owned'\">\u202e" + "n" * 350
NODE = "[...document.querySelectorAll('.node')].find(one => one.querySelector('strong').textContent === '{}')"
LAID = "import('/dashboard/graph.js').then(({{nodesOf, placed, SIZE}}) => {{ const jobs = {jobs}; {what} }})"


def job(type: str = "noop", after: list[Any] | None = None, payload: Body | None = None, **more: Any) -> Body:
    return {"type": type, "payload": payload or {}, "after": after or [], **more}


def planned(name: str, after: str = "", type: str = "part") -> Body:
    """A job as GET /api/workflows/{id} shows it, as far as the layout asks."""
    edges = [{"job": one, "on": "completed"} for one in after.split()]
    return {"id": name, "type": type, "optional": False, "after": edges}


class WorkflowPages(BrowserCase):
    def start(self, jobs: Body, **fields: Any) -> Body:
        status, workflow, _ = self.server.request("POST", "/api/workflows", {"jobs": jobs, **fields})
        self.assertEqual(202, status, workflow)
        found: Body = workflow
        return found

    def read(self, workflow: Body) -> Body:
        found: Body = self.server.request("GET", f"/api/workflows/{workflow['id']}")[1]
        return found

    def states(self, workflow: Body) -> dict[str, str]:
        return {one["name"]: one["state"] for one in self.read(workflow)["jobs"]}

    def until(self, workflow: Body, **states: str) -> None:
        wait_until(lambda: states.items() <= self.states(workflow).items(), f"jobs are {states}")

    def shown(self, workflow: Body, words: str = "") -> Tab:
        tab = self.opened(f"#/workflows/{workflow['id']}")
        tab.wait_for(".verdict", words)
        return tab

    def node(self, tab: Tab, name: str, words: str) -> None:
        tab.until(f"{NODE.format(name)}?.textContent.includes({json.dumps(words)})")

    def fit(self, tab: Tab) -> None:
        self.assertEqual({"contrast": [], "names": [], "overflow": [], "targets": []}, tab.js(AUDIT))
        self.assertEqual([], tab.complaints)

    def test_each_state_is_shown_changes_in_place_and_is_cancelled(self) -> None:
        flag = str(self.server.folder / "go-on-graph")
        jobs = {
            "fetch": job(),
            "runs": job("sleep", ["fetch"], {"until": flag}),
            "late": job("noop", ["fetch"], delay_s=3600),
            "bad": job("fail", ["fetch"], max_attempts=1, optional=True),
            "nested": {"jobs": {"a": job("noop", delay_s=3600)}, "after": ["fetch"]},
            "nobody": job("noop", ["fetch"], queue="reports"),
            "sum": job("noop", ["runs", "late", {"job": "bad", "on": "ended"}]),
            "alarm": job("noop", [{"job": "sum", "on": "failed"}]),
        }
        workflow = self.start(jobs, name="import 2026-11", then=[job("noop") | {"after": None}])
        ids = {one["name"]: one["id"] for one in workflow["jobs"]}
        self.until(workflow, fetch="completed", bad="dead", runs="active", late="delayed", nobody="ready")
        tab = self.shown(workflow, "2 of 8 jobs have ended.")

        words = {"fetch": "completed", "runs": "active", "late": "delayedin", "nobody": "ready", "bad": "· optional"}
        for name, text in {**words, "sum": "waits for 2", "alarm": "after sum (on failure)"}.items():
            self.node(tab, name, text)
        self.assertEqual(f"#/workflows/{ids['nested']}", tab.js(f"{NODE.format('nested')}.getAttribute('href')"))
        self.assertEqual(
            ["bad"], tab.js("[...document.querySelectorAll('.node.optional strong')].map(b => b.textContent)")
        )
        self.assertEqual(
            {"any end", "on failure"},
            set(tab.js("[...document.querySelectorAll('.flow text')].map(one => one.textContent).filter(Boolean)")),
        )
        # What nobody will begin stands before what most jobs wait for.
        lines = tab.js("[...document.querySelectorAll('.verdict li')].map(one => one.textContent)")
        tab.wait_for(".verdict li time[title*=UTC]")  # When `late` is due, in the reader's zone.
        self.assertIn("nobody: no live worker serves reports", lines[0])
        self.assertTrue(lines[1].startswith("runs (2 jobs wait for it): attempt 1 of"), lines)
        tab.wait_for(".facts .pair", "blocked")
        self.fit(tab)

        place = f"[{NODE.format('runs')}.isMine, {NODE.format('runs')}.getBoundingClientRect().x]"
        tab.js(f"{NODE.format('runs')}.isMine = true")
        before = tab.js(place)
        (self.server.folder / "go-on-graph").touch()
        self.node(tab, "runs", "completed")
        self.assertEqual(before, tab.js(place))

        tab.click("[data-act=cancel]")
        tab.wait_for("dialog", "5 jobs wait, and do not run any more.")
        tab.click("dialog .button.main")
        tab.wait_for("h1 .pill", "cancelled")
        self.assertEqual("cancelled", self.read(workflow)["state"])
        tab.wait_for("[data-act=retry]")
        tab.click(".states [data-state=completed]")
        tab.until("document.querySelectorAll('.members tbody tr').length === 2")

    def test_newer_workflows_wait_for_a_click_while_the_pointer_rests_on_the_list(self) -> None:
        self.start({"a": job(delay_s=3600)}, name="first")
        tab = self.opened("#/workflows")
        tab.wait_for(".flows", "first")
        tab.click(".flows th")
        workflow = self.start({"a": job(delay_s=3600)}, name="second")
        tab.wait_for(".newer .button", "1 newer")
        first = "document.querySelector('.flows tbody strong').textContent"
        self.assertEqual("first", tab.js(first))
        self.server.request("POST", f"/api/workflows/{workflow['id']}/cancel")
        self.fit(tab)

        tab.click(".newer .button")
        self.assertEqual("second", tab.js(first))
        self.assertFalse(tab.js("document.querySelector('.newer').checkVisibility()"))
        tab.wait_for(".flows tbody tr", "cancelled")

    def test_a_dead_workflow_names_the_cause_and_is_run_again_from_the_page(self) -> None:
        flag = self.server.folder / "there"
        workflow = self.start(
            {
                "fetch": job("when_there", payload={"until": str(flag)}),
                "sum": job("noop", ["fetch"]),
                "alarm": job("noop", [{"job": "sum", "on": "failed"}]),
                "calm": job("noop", ["alarm"]),
            }
        )
        wait_until(lambda: self.read(workflow)["state"] == "dead", "the workflow is dead")
        tab = self.shown(workflow, "Dead: 2 of 4 jobs completed. fetch failed.")
        tab.wait_for(".verdict", "FileNotFoundError: it is not there yet")
        self.assertNotRegex(tab.text(".verdict"), r"\dT\d\d:")  # Times are those of the reader's zone.
        self.assertEqual([1, 2], tab.js("['broken', 'met'].map(k => document.querySelectorAll(`.flow g.${k}`).length)"))
        tab.wait_for(".flow .broken .cross")
        flag.touch()
        tab.click("[data-act=retry]")
        tab.wait_for("dialog", "2 jobs that failed or were cancelled run again, each after those that it waits for.")
        curl = tab.text("dialog .curl")
        tab.click("dialog .button.main")
        tab.wait_for(".verdict", "Completed, ")
        self.assertEqual("completed", self.states(workflow)["sum"])

        # Its curl asks the same, which is refused by now.
        done = subprocess.run(["sh", "-c", curl], capture_output=True, text=True, timeout=20, check=True)
        self.assertIn("409 Conflict", done.stdout)

        # From the page of a job one comes to the graph, and to the waterfall of all.
        tab.js(f"location.hash = '#/jobs/{workflow['jobs'][0]['id']}'")
        tab.wait_for(".fall", "Attempt 1")  # Nothing above the facts moves them any more.
        tab.click(f".facts [href='#/workflows/{workflow['id']}']")
        tab.click(f".head [href='#/requests/{workflow['request_id']}']")
        tab.wait_for(".fall", "when_there")

    def test_a_workflow_that_runs_on_though_a_job_failed_says_so_and_what_holds_it_up_is_a_link(self) -> None:
        self.post("noop", {}, queue="crm", delay_s=3600)  # It makes the queue.
        self.server.request("PATCH", "/api/queues/crm", {"paused": True})
        workflow = self.start(
            {
                "charge": job("when_there", payload={"until": "/nowhere/at-all"}),
                "import": job(queue="crm"),
                "join": job("noop", ["charge", "import"]),
            }
        )
        self.until(workflow, charge="dead", join="cancelled")
        tab = self.shown(workflow, "It fails. 2 of 3 jobs have ended. charge did not complete.")
        tab.wait_for(".verdict.dead", "It can be run again when all have ended.")
        self.assertEqual("failing", tab.text("h1 .pill"))
        self.opened("#/workflows").wait_for(".why", "it fails already: charge (dead) and 1 more")
        tab.bring_to_front()
        self.assertEqual(0, tab.count("[data-act=retry]"))
        self.fit(tab)
        tab.click(".verdict a[href='#/queues/crm']")
        tab.wait_for("h1", "crm")
        tab.wait_for(".head .button", "Resume")

    def test_a_thousand_jobs_are_a_few_nodes_and_a_chain_of_them_stays_in_its_panel(self) -> None:
        parts = {f"part-{n}": job("noop", ["fetch"], queue="later") for n in range(998)}
        graph = {"fetch": job("echo", queue="later"), **parts, "sum": job("gather", list(parts), queue="later")}
        tab = self.shown(self.start(graph), "0 of 1,000 jobs have ended.")
        self.node(tab, "998 × noop", "998 blocked")
        self.assertEqual(3, tab.count(".node"))
        self.assertLess(tab.count("main *"), 2000)
        tab.wait_for(".verdict", "fetch (999 jobs wait for it)")
        tab.click(".node.many")
        tab.wait_for(".members tbody tr", "part-0")
        tab.wait_for(".token", "998 × noop")
        self.assertEqual(100, tab.count(".members tbody tr"))
        tab.click("[aria-label=Jobs] footer button")
        self.assertEqual(600, tab.count(".members tbody tr"))

        chain = {f"step-{n}": job("noop", [f"step-{n - 1}"] if n else [], queue="later") for n in range(1000)}
        tab = self.shown(self.start(chain, name=HOSTILE[:190].replace("\u202e", "")), "0 of 1,000 jobs have ended.")
        self.assertLessEqual(tab.count(".node"), 60)
        self.assertTrue(
            tab.js("document.querySelector('.flow').scrollWidth > document.querySelector('.flow').clientWidth")
        )
        self.fit(tab)
        self.assertIn("<img src=x", tab.text("h1"))
        self.assertEqual(0, tab.count("main img"))

    def test_a_name_that_somebody_wrote_by_hand_breaks_nothing(self) -> None:
        workflow = self.start({"a": job("noop", queue="later"), "b": job("noop", ["a"], queue="later")})
        key = f"wb:{{default}}:parents:{workflow['id']}"
        self.redis.client.hset(key, workflow["jobs"][0]["id"], f"m.0/{HOSTILE}")
        tab = self.shown(workflow)
        tab.wait_for(".node .odd", "U+202E")
        tab.wait_for(".members .odd", "U+202E")
        for width, height in ((1440, 900), (390, 844)):
            tab.resize(width, height)
            tab.settle()
            self.fit(tab)
        self.assertEqual(0, tab.count("main img"))
        box = "document.querySelector('.node').getBoundingClientRect()"
        self.assertLess(tab.js(f"{box}.height"), 80)

    def test_the_list_shows_each_and_what_holds_it_up(self) -> None:
        running = self.start({"a": job("noop", queue="reports")}, name="the one that runs")
        gone = self.start({"a": job("noop", queue="reports")}, name="the one that is stopped")
        self.server.request("POST", f"/api/workflows/{gone['id']}/cancel")
        tab = self.opened("#/workflows?state=cancelled")
        row = "[...document.querySelectorAll('.flows tbody tr')].find(one => one.textContent.includes('{}'))"
        tab.until(f"!!{row.format('the one that is stopped')}")
        self.assertIsNone(tab.js(f"{row.format('the one that runs')} ?? null"))

        tab.click(".states a[href='#/workflows?state=blocked']")
        tab.until(
            f"{row.format('the one that runs')}?.textContent.includes('1 of 1 job has not ended: a (ready, and no')"
        )
        self.fit(tab)
        tab.js(f"{row.format('the one that runs')}.querySelector('a').click()")
        tab.wait_for("h1", "the one that runs")
        tab.wait_for(".crumbs", running["id"])

    def test_a_layout_has_columns_by_depth_and_joins_what_is_alike(self) -> None:
        tab = self.opened()
        rows: tuple[tuple[list[Body], int, Any], ...] = (
            # The jobs, the most nodes, how many jobs each node has, and its column.
            ([], 60, []),
            ([planned("a")], 60, [[1, 0]]),
            ([planned("a"), planned("b", "a"), planned("c", "a b")], 60, [[1, 0], [1, 1], [1, 2]]),
            (
                [planned("a", type="one"), *(planned(n, "a") for n in "bcd"), planned("e", "b c d")],
                3,
                [[1, 0], [3, 1], [1, 2]],
            ),
            # Pairs: each part has a check of its own, and yet all parts are alike.
            ([*(planned(n) for n in "abc"), *(planned(n + n, n) for n in "abc")], 2, [[3, 0], [3, 1]]),
            # One of them is followed by another job, so that it is not like the others.
            ([*(planned(n) for n in "abc"), planned("d", "a", "mail")], 3, [[1, 0], [2, 0], [1, 1]]),
            # Nothing is alike: by type and depth.
            ([planned("a"), *(planned(f"b{n}", f"b{n - 1}" if n else "a", f"t{n % 2}") for n in range(30))], 20, 12),
            ([planned("a", "gone")], 60, [[1, 0]]),
        )
        for jobs, most, expected in rows:
            what = f"return nodesOf(jobs, {most}).nodes.map(one => [one.ids.length, one.layer])"
            found = tab.js(LAID.format(jobs=json.dumps(jobs), what=what))
            if isinstance(expected, int):
                self.assertLess(max(layer for _, layer in found), expected)
                self.assertLessEqual(len(found), most)
                self.assertEqual(len(jobs), sum(count for count, _ in found))
            else:
                self.assertEqual(expected, found)

        what = "const {nodes, edges} = nodesOf(jobs), {at, ways, height} = placed(nodes, edges, SIZE);"
        what += "return [[...at].map(([key, {x, y}]) => [key, x / (SIZE.width + SIZE.apart), y]), ways, height]"
        jobs = [planned("a"), planned("b", "a"), planned("c", "a"), planned("d", "b c"), planned("e", "a d")]
        places, ways, height = tab.js(LAID.format(jobs=json.dumps(jobs), what=what))
        y = {name: y for name, _, y in places}
        self.assertEqual([0, 1, 1, 2, 3], [column for _, column, _ in places])
        self.assertGreaterEqual(y["c"] - y["b"], 46)  # They lie apart, the one before both between them.
        self.assertTrue(y["b"] < y["d"] < y["c"], y)
        self.assertEqual((0, True), (min(y.values()), max(y.values()) + 46 <= height))
        # a -> e passes two columns beside their nodes.
        long = next(way for way in ways if len(way) > 2)
        self.assertEqual(6, len(long))
        for x, line in long[1:5]:
            for name, column, top in places:
                self.assertFalse(column * 232 <= x <= column * 232 + 172 and top <= line <= top + 46, (name, x, line))


if __name__ == "__main__":
    unittest.main()
