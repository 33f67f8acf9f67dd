"""The table of a connection's life: that it is whole, and that the code takes no step beside it."""

import ast
import re
import unittest
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import get_args

from lib.http1.server import life
from lib.http1.server.life import READING, STATES, STEPS, Deadline, Event, State, timetable
from lib.http1.server.limits import Limits

FOLDER = Path(life.__file__).parent


def sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(FOLDER.glob("*.py")):
        yield path.name, ast.parse(path.read_text(encoding="utf-8"))


def assigned(tree: ast.Module, name: str) -> list[str]:
    """The functions of a module that assign to an attribute `name`, one entry for each assignment."""
    return [
        function.name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.ctx, ast.Store)
    ]


class Table(unittest.TestCase):
    def test_every_state_is_reachable(self) -> None:
        reached: set[State] = {"head"}
        for _ in STATES:
            reached |= {step.after for step in STEPS if step.before in reached}

        self.assertEqual(set(STATES), reached)

    def test_every_state_can_come_to_its_end(self) -> None:
        ended: set[State] = {"closed"}
        for _ in STATES:
            ended |= {step.before for step in STEPS if step.after in ended and step.event != "lost"}

        self.assertEqual({"head", "body", "dropping", "handling", "closed"}, ended)
        # Only the client, or its deadline, ends a connection that lingers.
        self.assertEqual({"lost"}, {step.event for step in STEPS if step.before == "lingering" != step.after})

    def test_nothing_leads_out_of_closed(self) -> None:
        self.assertEqual({"closed"}, {step.after for step in STEPS if step.before == "closed"})

    def test_a_state_and_an_event_lead_to_one_state(self) -> None:
        pairs = [(step.before, step.event) for step in STEPS]

        self.assertEqual(len(set(pairs)), len(pairs))

    def test_every_deadline_is_a_time_of_limits(self) -> None:
        for name in set(get_args(Deadline)) - {"none"}:
            self.assertGreater(getattr(Limits(), name), 0.0)

    def test_every_name_is_used(self) -> None:
        self.assertEqual(set(get_args(Event)), {step.event for step in STEPS})
        self.assertEqual(set(get_args(Deadline)), {step.deadline for step in STEPS})

    def test_every_state_but_handling_and_closed_has_a_deadline(self) -> None:
        without = {step.after for step in STEPS if step.deadline == "none"}

        self.assertEqual({"handling", "closed"}, without)

    def test_writing_may_pause_in_any_state_and_go_on_again(self) -> None:
        pausable = {step.before for step in STEPS if step.event == "write_paused"}
        resumable = {step.before for step in STEPS if step.event == "write_resumed"}
        next_ones = {step.before for step in STEPS if step.event == "next_awaited"}

        self.assertEqual(set(STATES), pausable)
        # In `head` the wait for the next request begins anew instead.
        self.assertEqual(set(STATES) - {"head"}, resumable)
        self.assertIn("head", next_ones)

    def test_the_timetable_has_each_step_with_its_seconds(self) -> None:
        limits = Limits(idle_s=75.0, idle_grace_s=1.0)

        found = timetable(limits)

        self.assertEqual(("head", 76.0), found["next_awaited"]["handling"])
        self.assertEqual(("handling", inf), found["handed_over"]["head"])
        self.assertEqual(len(STEPS), sum(map(len, found.values())))

    def test_the_docstring_says_what_each_state_waits_for(self) -> None:
        described = re.findall(r"^    (\w+) {2,}\w", life.__doc__ or "", re.MULTILINE)

        self.assertEqual(list(STATES), [word for word in described if word in STATES])
        self.assertLess(READING, set(STATES))


class Code(unittest.TestCase):
    def test_state_and_deadline_are_assigned_in_one_place(self) -> None:
        for name in ("state", "deadline_s"):
            places = [(module, function) for module, tree in sources() for function in assigned(tree, name)]

            self.assertEqual([("lifeline.py", "__init__"), ("lifeline.py", "step")], places, name)

    def test_the_code_names_each_event(self) -> None:
        named = {
            node.value
            for module, tree in sources()
            if module != "life.py"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }

        self.assertEqual(set(), set(get_args(Event)) - named)


if __name__ == "__main__":
    unittest.main()
