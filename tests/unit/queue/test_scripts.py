"""The Lua files and the fragments that they name: each file names those whose functions it calls, and no others."""

import re
import tempfile
import unittest
from collections import Counter
from pathlib import Path
from unittest.mock import patch

from lib.queue import scripts
from lib.queue.scripts import FOLDER, PARTS, fragments_of, rarely_of, script_paths, text_of, uses_of
from tests.unit.queue.lua_names import Names, names_of, tokens_of

# What Lua 5.1 and Redis give to every script, of which the scripts use these; `base` is written by scripts.text_of.
GIVEN = frozenset(
    {"base", "redis", "KEYS", "ARGV", "string", "table", "math", "ipairs", "pairs", "tonumber", "tostring", "type"}
    | {"next", "pcall", "select", "unpack", "cjson"}
)
FILES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.rglob("*.lua"))}
FRAGMENTS = {path.stem: FILES[path.stem] for path in PARTS.glob("*.lua")}
DEFINED = {name: names_of(text).defined for name, text in FRAGMENTS.items()}
DEFINER = {defined: fragment for fragment, names in DEFINED.items() for defined in names}


def seen_by(text: str) -> frozenset[str]:
    """The names that the fragments of a file define, those of fragments of fragments too."""
    return frozenset(defined for fragment in fragments_of(text) for defined in DEFINED[fragment])


class Uses(unittest.TestCase):
    def test_every_file_names_the_fragments_whose_functions_it_calls_and_no_others(self) -> None:
        for name, text in FILES.items():
            called = {DEFINER[free] for free in names_of(text).free & DEFINER.keys()}
            with self.subTest(name):
                self.assertEqual(sorted(called), sorted(uses_of(text)))

    def test_every_name_is_defined_by_the_file_or_by_a_fragment_that_it_uses(self) -> None:
        for name, text in FILES.items():
            with self.subTest(name):
                self.assertEqual(set(), names_of(text).free - GIVEN - seen_by(text))

    def test_no_two_fragments_define_the_same_name(self) -> None:
        counts = Counter(defined for names in DEFINED.values() for defined in names)

        self.assertEqual([], [name for name, count in counts.items() if count > 1])

    def test_no_local_hides_one_that_is_seen_from_there(self) -> None:
        for name, text in FILES.items():
            with self.subTest(name):
                self.assertEqual(set(), names_of(text, seen_by(text) | GIVEN).shadows)

    def test_what_a_fragment_defines_is_used_by_the_fragment_or_by_another_file(self) -> None:
        free = {name: names_of(text).free for name, text in FILES.items()}
        for fragment, text in FRAGMENTS.items():
            users = [other for other, other_text in FILES.items() if fragment in uses_of(other_text)]
            with self.subTest(fragment):
                self.assertEqual(set(), names_of(text).unread - set().union(*(free[user] for user in users)))

    def test_what_a_script_defines_it_uses(self) -> None:
        for name in script_paths():
            with self.subTest(name):
                self.assertEqual(set(), names_of(FILES[name]).unread - {"_"})

    def test_no_two_lua_files_have_the_same_name(self) -> None:
        self.assertEqual(sorted(FILES), sorted(path.stem for path in FOLDER.rglob("*.lua")))
        self.assertEqual(set(), script_paths().keys() & FRAGMENTS.keys())


class Replies(unittest.TestCase):
    """No script reads a field of a job by a bare number: the numbers change when a field is added."""

    # Variables whose places have one meaning for ever: seconds and microseconds of TIME, id and fields of an entry of a
    # stream, and lists that the file makes itself.
    OWN = frozenset(
        {("clock", "clock"), ("count_call", "time"), ("follow", "oldest"), ("follow", "entry"), ("listen", "newest")}
        | {("hand_out", "words"), ("hand_out", "specs"), ("page", "reply")}
        | {("keeper", "clock")}
    )

    def test_a_field_has_a_name_as_soon_as_it_is_read(self) -> None:
        found = {(name, variable) for name, text in FILES.items() for variable in self.numbered(text)}

        self.assertEqual(self.OWN, found)
        for name, text in FILES.items():
            self.assertNotRegex(text, r"'HMGET'[^\n]*\)\[", name)

    def test_the_names_of_places_are_those_of_the_fields(self) -> None:
        """As in `local SPEC, STATE = 1, 2` above an HMGET of spec and state."""
        text = re.sub(r"\n *", " ", FILES["claim_fields"])
        pairs = re.findall(r"local ([A-Z_, ]+) = ([\d, ]+) local function .*?'HMGET', .*?, ('.*?')\)", text)

        self.assertEqual(2, len(pairs))
        for names, numbers, fields in pairs:
            fields = fields.replace("'job:' .. id, ", "").replace("'", "").replace("worker", "owner")
            self.assertEqual(names.lower(), fields)
            self.assertEqual(list(range(1, 1 + len(names.split(",")))), [int(number) for number in numbers.split(",")])

    def test_one_fragment_alone_reads_single_settings_of_a_queue(self) -> None:
        naming = {name for name, text in FILES.items() if re.search(r"^[^-]*'meta'", text, re.MULTILINE)}

        # adjust writes them, and census shows all of them. lines and mend write what the scripts note for themselves;
        # schedule counts its versions there.
        self.assertEqual({"queue_settings", "adjust", "census", "lines", "mend", "schedule"}, naming)

    def numbered(self, text: str) -> set[str]:
        """The variables with a numbered place in this file, but those that get names in the line behind their HMGET."""
        lines = [line for line in text.split("\n") if not line.lstrip().startswith("--")]
        found = set[str]()
        for before, line in zip(["", *lines], lines, strict=False):
            reply = re.fullmatch(r" *local (\w+) = redis\.p?call\('HMGET', .*\)", before)
            is_named = reply and re.match(rf" *local [\w, ]+ = {reply[1]}\[1\], ", line)
            found |= set() if is_named else set(re.findall(r"\b([a-z_]\w*)\[\d+\]", line))
        return found


class Texts(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.parts = Path(folder.name)
        patched = patch.object(scripts, "PARTS", self.parts)
        patched.start()
        self.addCleanup(patched.stop)

    def fragment(self, name: str, text: str) -> None:
        (self.parts / f"{name}.lua").write_text(text, encoding="utf-8")

    def test_a_fragment_comes_once_and_behind_those_that_it_uses(self) -> None:
        self.fragment("top", "-- @use middle bottom\n")
        self.fragment("middle", "-- @use bottom\n")
        self.fragment("bottom", "")

        self.assertEqual(["bottom", "middle", "top"], list(fragments_of("-- @use top middle\n")))

    def test_fragments_that_use_each_other_in_a_circle_are_refused(self) -> None:
        self.fragment("first", "-- @use second\n")
        self.fragment("second", "-- @use first\n")

        with self.assertRaisesRegex(ValueError, "first -> second -> first"):
            fragments_of("-- @use first\n")

    def test_a_fragment_that_is_not_there_is_refused(self) -> None:
        with self.assertRaises(OSError):
            fragments_of("-- @use nothing\n")


class Rarely(unittest.TestCase):
    """Functions that few calls of a script need are made together, when one of them is needed."""

    def test_they_are_named_by_the_scripts_of_many_jobs_and_are_functions_of_fragments(self) -> None:
        naming = {name for name, path in script_paths().items() if rarely_of(path.read_text(encoding="utf-8"))}

        self.assertEqual({"enqueue", "claim", "ration", "finish", "resolve"}, naming)
        with self.assertRaises(ValueError):
            scripts.made_rarely("local function here() end", "", ["here", "nowhere"])

    def test_a_call_makes_no_more_functions_than_before_limits(self) -> None:
        for name, most in (("enqueue", 27), ("claim", 35), ("finish", 15)):
            text = text_of(name)
            rest = text[: text.index("rarely = function()")] + text[text.index("return made_rarely\nend") :]
            self.assertLessEqual(len(re.findall(r"^local function ", rest, re.MULTILINE)) + 1, most, name)

    def test_those_that_are_rarer_still_are_made_apart(self) -> None:
        functions = ("one() return 1 end", "two()\n  return one()\nend", "three()\n  two()\nend")
        shared = "\n".join(f"local function {function}" for function in functions)

        made, own = scripts.made_rarely(*scripts.made_seldom(shared, "three(two(one()))", ["two"]), ["one", "seldom"])

        self.assertEqual("three(rarely().seldom().two(rarely().one()))", own)
        self.assertIn("local function three()\n  rarely().seldom().two()\nend", made)
        self.assertIn(
            "if made_seldom then return made_seldom end\n  local function two()\n    return one()\n  end\n", made
        )
        self.assertIn("made_rarely = {one = one, seldom = seldom}", made)

    def test_outside_of_it_each_is_called_through_it(self) -> None:
        shared, own = scripts.made_rarely(
            "local function one() return 1 end\nlocal function two()\n  return one()\nend", "two(one())", ["one"]
        )

        self.assertEqual("two(rarely().one())", own)
        self.assertEqual(
            "local rarely\nlocal function two()\n  return rarely().one()\nend\nlocal made_rarely\n"
            "rarely = function()\nif made_rarely then return made_rarely end\nlocal function one() return 1 end\n"
            "made_rarely = {one = one}\nreturn made_rarely\nend",
            shared,
        )


class Written(unittest.TestCase):
    def test_no_line_is_longer_than_those_of_the_python_code(self) -> None:
        for name, text in FILES.items():
            self.assertEqual([], [line for line in text.split("\n") if len(line) > 120], name)

    def test_redis_gets_numbers_in_the_place_of_their_names(self) -> None:
        claim = text_of("claim")

        self.assertIn("f[2] == 'active' and past[2] == runner", claim)
        self.assertIn("limit + 200, 1048576", claim)
        for name in script_paths():
            self.assertNotRegex(text_of(name), r"(?m)^local [A-Z_, ]+ = [\d, ]+$", name)

    def test_no_string_holds_the_name_of_a_number(self) -> None:
        for name, text in FILES.items():
            names = set(re.findall(r"[A-Z_]{2,}", " ".join(re.findall(r"(?m)^local ([A-Z_, ]+) = \d", text))))
            strings = " ".join(token for other in FILES.values() for token in tokens_of(other) if token[0] in "'\"[")
            self.assertEqual(set(), names & set(re.findall(r"\w+", strings)), name)

    def test_redis_gets_no_comment_lines(self) -> None:
        for name in script_paths():
            self.assertNotRegex(text_of(name), r"(?m)^\s*--", name)


class Reading(unittest.TestCase):
    """The reader that the tests above go by."""

    def names(self, text: str) -> Names:
        return names_of(text)

    def test_a_local_is_known_in_its_block_alone(self) -> None:
        found = self.names("if x then local y = 1 else y = 2 end for i, j in pairs(t) do z(i, j) end return i")

        self.assertEqual({"x", "y", "pairs", "t", "z", "i"}, found.free)

    def test_fields_keys_strings_and_comments_are_no_names(self) -> None:
        found = self.names("local t = {a = 1, [b] = c.d} -- e\nt.f = 'g' .. [[h]]")

        self.assertEqual({"b", "c"}, found.free)
        self.assertEqual({"t"}, found.defined)

    def test_functions_know_their_parameters(self) -> None:
        found = self.names("local function f(a, ...) return a(b, function(c) return c + d end) end return f")

        self.assertEqual({"b", "d"}, found.free)
        self.assertEqual({"f"}, found.defined)

    def test_a_parameter_that_hides_a_local_is_found(self) -> None:
        self.assertEqual({"a"}, self.names("local a = 1 local function f(a) return a end return f(a)").shadows)

    def test_a_local_that_nothing_reads_is_found(self) -> None:
        self.assertEqual({"b"}, self.names("local a, b = 1, 2 return a").unread)


if __name__ == "__main__":
    unittest.main()
