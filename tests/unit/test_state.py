"""The table of transitions against the headers of the Lua files: neither names one that the other does not."""

import re
import unittest

from lib.jobs.state import FINISHED, STATES, TRANSITIONS, WAITING, Transition
from lib.queue.scripts import FOLDER, script_paths

_HEADER = re.compile(r"^-- @transition (\S+) --(\w+)--> (\S+)$", re.MULTILINE)
# A script is named by what it does, an event by what happens to the job; claim meets jobs that have expired.
EVENTS = {"finish": {"complete"}, "claim": {"claim", "expire"}}


def of_scripts() -> dict[str, set[Transition]]:
    """What each script's header says that it does."""
    return {
        path.stem: {Transition(*found) for found in _HEADER.findall(path.read_text(encoding="utf-8"))}
        for path in script_paths().values()
    }


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

    def test_a_script_that_writes_a_state_names_a_transition_to_it(self) -> None:
        for path in script_paths().values():
            text = path.read_text(encoding="utf-8")
            written = set(re.findall(r"'state', '(\w+)'", text)) & set(STATES)
            read_back = re.findall(r"HMGET'[^)]*", text)
            named = {transition.after for transition in of_scripts()[path.stem]}
            self.assertLessEqual(written - set(re.findall(r"'(\w+)'", " ".join(read_back))), named, path.name)

    def test_the_table_speaks_of_known_states_alone(self) -> None:
        named = {state for transition in TRANSITIONS for state in (transition.before, transition.after)}

        self.assertEqual({*STATES, "-"}, named)
        self.assertEqual(set(STATES), {*FINISHED, *WAITING, "active"})

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

        self.assertEqual({"enqueue", "patch"}, refused)


if __name__ == "__main__":
    unittest.main()
