"""A group's name, and the group that a payload names."""

import re
import unittest
from typing import Any

from lib.jobs.author_checks import Invalid
from lib.jobs.group import GROUP_NAME, group_named_by


class Names(unittest.TestCase):
    def test_a_name_is_of_letters_that_neither_redis_nor_json_nor_a_regex_minds(self) -> None:
        for name in ("a", "tenant-42", "A.b_c:d@e/f-g", "-", "0", "x" * 128):
            self.assertTrue(GROUP_NAME.fullmatch(name), name)
            self.assertEqual(name, re.sub(r"[\"\\\s,|]", "", name))
        for name in ("", "x" * 129, "a b", "a,b", "a\n", "ä", "٣", 'a"b', "a|b", "a{b}", "a*"):
            self.assertFalse(GROUP_NAME.fullmatch(name), name)


class OfPayloads(unittest.TestCase):
    def fault(self, payload: dict[str, Any], path: str) -> tuple[str, str]:
        with self.assertRaises(Invalid) as refused:
            group_named_by(payload, path)
        ((pointer, detail),) = refused.exception.errors
        return pointer, detail

    def test_a_string_is_the_name_and_an_integer_its_digits(self) -> None:
        for value, group in (
            ("tenant-42", "tenant-42"),
            (42, "42"),
            (-7, "-7"),
            (0, "0"),
            (42.0, "42"),
            (10**127, "1" + "0" * 127),
        ):
            self.assertEqual(group, group_named_by({"tenant": value}, "tenant"))

    def test_dots_lead_into_objects(self) -> None:
        self.assertEqual("7", group_named_by({"a": {"b": {"c": 7}}}, "a.b.c"))

    def test_a_field_that_is_missing_or_null_names_no_group(self) -> None:
        payloads: tuple[dict[str, Any], ...] = ({}, {"a": None}, {"a": {}}, {"a": {"b": None}})
        for payload in payloads:
            self.assertEqual("", group_named_by(payload, "a.b"), payload)

    def test_any_other_value_is_refused_where_it_stands_with_what_to_do(self) -> None:
        for value in ("", "Miller & Sons", "x" * 129, 1.5, True, False, [], ["a"], {"id": 1}, 10**128, float("inf")):
            pointer, detail = self.fault({"tenant": value}, "tenant")
            self.assertEqual("/payload/tenant", pointer)
            self.assertIn("a whole number or a string of 1 to 128 letters", detail)
            self.assertIn("name the group in the field group beside the payload", detail)

    def test_what_is_no_object_on_the_way_is_refused_there(self) -> None:
        self.assertEqual(
            ("/payload/a", "must be an object, not a string: its b is the group"), self.fault({"a": "x"}, "a.b")
        )
        self.assertEqual("/payload/a~1b/c", self.fault({"a/b": {"c": []}}, "a/b.c")[0])


if __name__ == "__main__":
    unittest.main()
