"""The table of transitions against the headers of the Lua files: neither names one that the other does not."""

import re
import unittest

from lib.jobs.state import BLOCKED, FINISHED, STATES, TRANSITIONS, WAITING, Transition
from lib.queue.scripts import FOLDER, PARTS, fragments_of, script_paths
from tests.unit.queue.lua_fields import FieldChange, changes_of

_HEADER = re.compile(r"^-- @transition (\S+) --(\w+)--> (\S+)$", re.MULTILINE)
# A script is named by what it does, an event by what happens to the job. claim also promotes jobs that are due, and
# meets jobs that have expired. A schedule that fires enqueues a job.
EVENTS = {"finish": {"complete"}, "claim": {"claim", "promote", "expire"}, "fire": {"enqueue"}}
EVENTS["enqueue"] = {"enqueue", "replace"}
EVENTS["ration"] = EVENTS["claim"]
EVENTS["plant"] = EVENTS["fire"]


def of_scripts() -> dict[str, set[Transition]]:
    """What each script's header says that it does."""
    return {
        path.stem: {Transition(*found) for found in _HEADER.findall(path.read_text(encoding="utf-8"))}
        for path in script_paths().values()
    }


def states_in(text: str) -> set[str]:
    """The states that this file's own code brings jobs to: written as 'state', or given to conclude or write_record, or
    one of the ends that verdict.lua may give to conclude."""
    written = re.compile(r"\bHSET\b.*'state'|conclude\('|write_record\(job|^local ENDS = ")
    lines = [line for line in text.split("\n") if written.search(line)]
    return set(re.findall(r"'(\w+)'", " ".join(lines))) & set(STATES)


class Transitions(unittest.TestCase):
    def test_each_transition_of_the_table_is_some_scripts(self) -> None:
        self.assertEqual(set(), TRANSITIONS - set().union(*of_scripts().values()))

    def test_each_scripts_transition_is_in_the_table(self) -> None:
        self.assertEqual(set(), set().union(*of_scripts().values()) - TRANSITIONS)

    def test_a_scripts_transitions_are_of_the_event_that_it_is_called_after(self) -> None:
        for name, transitions in of_scripts().items():
            self.assertLessEqual({transition.event for transition in transitions}, EVENTS.get(name, {name}), name)

    def test_every_line_that_speaks_of_a_transition_is_understood(self) -> None:
        for path in FOLDER.rglob("*.lua"):
            text = path.read_text(encoding="utf-8")
            self.assertEqual(text.count("@transition"), len(_HEADER.findall(text)), path.name)

    def test_a_script_that_brings_jobs_to_a_state_names_a_transition_to_it(self) -> None:
        for name, path in script_paths().items():
            text = path.read_text(encoding="utf-8")
            brought_to = states_in(text).union(*map(states_in, fragments_of(text).values()))
            named = {transition.after for transition in of_scripts()[name]} - {"-"}
            with self.subTest(name):
                # A retry opens again what has failed, so that its verdict kills no workflow.
                self.assertEqual(brought_to - ({"dead"} if name == "retry" else set()), named)

    def test_a_state_is_written_by_a_few_fragments_alone(self) -> None:
        writing = {
            path.stem
            for path in FOLDER.rglob("*.lua")
            if FieldChange("state", is_write=True) in changes_of(path.read_text(encoding="utf-8"))
        }

        self.assertEqual({"take_in", "make_ready", "give_back", "delay", "block", "hand_out", "conclude"}, writing)

    def test_the_states_of_the_lua_and_those_that_live_are_those_of_the_table(self) -> None:
        (row,) = re.findall(
            r"^local LIVES = \{([^}]*)\}$", (PARTS / "states.lua").read_text(encoding="utf-8"), re.MULTILINE
        )
        lives = dict(re.findall(r"(\w+) = (\w+)", row))

        self.assertEqual({state: "false" if state in FINISHED else "true" for state in STATES}, lives)

    def test_the_table_speaks_of_known_states_alone(self) -> None:
        named = {state for transition in TRANSITIONS for state in (transition.before, transition.after)}

        self.assertEqual({*STATES, "-"}, named)
        self.assertEqual(set(STATES), {*FINISHED, *WAITING, "active", BLOCKED})

    def test_every_state_can_be_reached_and_left(self) -> None:
        self.assertEqual(set(STATES), {transition.after for transition in TRANSITIONS} - {"-"})
        self.assertEqual(set(STATES), {transition.before for transition in TRANSITIONS} - {"-"})


class Headers(unittest.TestCase):
    def test_every_script_tells_its_story(self) -> None:
        for path in script_paths().values():
            first, second, *rest = path.read_text(encoding="utf-8").split("\n")
            self.assertTrue(first.startswith("#!lua"), path.name)
            self.assertTrue(second.startswith(f"-- {path.name}: "), path.name)
            text = "\n".join(rest)
            for word in ("-- KEYS 1 base", "-- RETURNS"):
                self.assertIn(word, text, path.name)

    def test_no_script_walks_through_the_keys(self) -> None:
        for path in FOLDER.rglob("*.lua"):
            self.assertNotRegex(path.read_text(encoding="utf-8"), r"call\('(KEYS|SCAN|FLUSHALL|FLUSHDB)'", path.name)

    def test_every_script_but_those_that_take_new_things_in_goes_on_at_maxmemory(self) -> None:
        refused = {
            path.stem
            for path in script_paths().values()
            if not re.match(r"#!lua flags=(allow-oom|no-writes)", path.read_text(encoding="utf-8"))
        }

        self.assertEqual({"enqueue", "patch", "fire", "schedule", "plant", "adopt", "reserve"}, refused)


if __name__ == "__main__":
    unittest.main()
