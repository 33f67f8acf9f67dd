"""The table of a job's fields against the Lua: each names the fields, writers and clearers of the other."""

import re
import unittest
from collections import defaultdict

from lib.queue.job_fields import FAILED_ONCE, JOB_FIELDS, is_job_field
from lib.queue.scripts import FOLDER
from tests.unit.queue.lua_fields import FieldChange, changes_of

FILES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.rglob("*.lua"))}


def files_by_field(*, is_write: bool) -> dict[str, set[str]]:
    """Field -> the Lua files that write it, or that clear it."""
    found = defaultdict[str, set[str]](set)
    for name, text in FILES.items():
        for change in changes_of(text):
            if change.is_write == is_write:
                found[change.name].add(name)
    return found


class Table(unittest.TestCase):
    def test_it_names_the_fields_that_the_lua_writes_and_who_writes_them(self) -> None:
        table = {name: set(field.written_by.split()) for name, field in JOB_FIELDS.items() if field.written_by}

        self.assertEqual(table, files_by_field(is_write=True))

    def test_it_names_who_clears_a_field(self) -> None:
        table = {name: set(field.cleared_by.split()) for name, field in JOB_FIELDS.items() if field.cleared_by}

        self.assertEqual(table, files_by_field(is_write=False))

    def test_every_field_that_the_lua_reads_is_in_it(self) -> None:
        read = set[str]()
        for text in FILES.values():
            for fields in re.findall(r"'HMGET', (?:job|base \.\. 'job:' \.\. id), ([^)]*)\)", text):
                read.update(re.findall(r"'(\w+)'", fields))

        self.assertGreater(len(read), 15)
        self.assertEqual(set(), read - JOB_FIELDS.keys())

    def test_every_row_says_something(self) -> None:
        for name, field in JOB_FIELDS.items():
            self.assertTrue(field.holds and field.example and field.absent, name)

    def test_every_field_has_a_writer(self) -> None:
        self.assertEqual([], [name for name, field in JOB_FIELDS.items() if not field.written_by])

    def test_the_example_is_made_of_fields(self) -> None:
        self.assertEqual(set(), FAILED_ONCE.keys() - JOB_FIELDS.keys())

    def test_a_name_under_which_a_job_was_enqueued_is_a_field(self) -> None:
        self.assertTrue(is_job_field("once:invoice") and is_job_field("spec"))
        self.assertFalse(is_job_field("once") or is_job_field("sepc"))


class Reading(unittest.TestCase):
    """The reader that the tests above go by."""

    def written(self, text: str) -> set[str]:
        return {change.name for change in changes_of(text) if change.is_write}

    def test_commands_on_a_jobs_hash_are_read_and_others_are_not(self) -> None:
        self.assertEqual({"a", "c"}, self.written("redis.call('HSET', job, 'a', f(x, 'b'), 'c', d)"))
        self.assertEqual({"a"}, self.written("redis.pcall('HINCRBY', base .. 'job:' .. id, 'a', -1)"))
        self.assertEqual(set(), self.written("redis.call('HSET', base .. 'meta', 'a', b) redis.call('HGET', job, 'a')"))

    def test_what_is_cleared_is_read(self) -> None:
        changes = changes_of("redis.call('HDEL', job, 'a',\n 'b')")

        self.assertEqual({FieldChange("a", is_write=False), FieldChange("b", is_write=False)}, changes)

    def test_fields_that_are_handed_on_are_read(self) -> None:
        self.assertEqual({"b"}, self.written("delay(id, job, now_ms + tonumber(a), 'b', c)"))
        self.assertEqual({"a", "c"}, self.written("fields[id] = {'a', b, 'c', d}"))
        self.assertEqual({"a"}, self.written("conclude('dead', {id}, 'by', {[id] = {'a', b}})"))
        self.assertEqual(set(), self.written("local function delay(id, job, due_ms, ...) end local t = {'a', b}"))

    def test_a_name_that_is_not_written_out_is_no_field_of_the_table(self) -> None:
        self.assertEqual({"once:<name>"}, self.written("redis.call('HSET', job, 'once:' .. name, id)"))
        self.assertFalse(self.written("redis.call('HSET', job, field, id)") & JOB_FIELDS.keys())


if __name__ == "__main__":
    unittest.main()
