"""How openapi.yaml is read: lib/manual/yaml_subset.py and the validator of tests/contract.py, each made to say no."""

import unittest

from lib.manual import yaml_subset
from tests import contract


class Reader(unittest.TestCase):
    """lib/manual/yaml_subset.py: what it reads, and that it guesses at nothing."""

    def test_blocks_flows_and_scalars(self) -> None:
        text = "\n".join(
            (
                "# a comment",
                "a: plain text, with a comma",
                "'2': {b: [1, -2.5, 'it''s', \"\\u00e9\"], $c: null}",
                "/d/{e}:",
                "  - f: true",
                "    g: []",
                "  - h:i",
                "",
                "  - |",
                "    one",
                "      two",
                "",
                "    three",
                "z: {}",
            )
        )

        self.assertEqual(
            {
                "a": "plain text, with a comma",
                "2": {"b": [1, -2.5, "it's", "é"], "$c": None},
                "/d/{e}": [{"f": True, "g": []}, "h:i", "one\n  two\n\nthree\n"],
                "z": {},
            },
            yaml_subset.read(text),
        )

    def test_what_could_mean_something_else_is_refused_with_its_line(self) -> None:
        for text in (
            "b: yes",
            "b: &anchor 1",
            "b: *anchor",
            "b: !tag 1",
            "b: > ",
            "b: two: colons",
            "b: text # no comment",
            "b: 'open",
            'b: "open',
            "b: 'a' 'b'",
            "b: [1, 2",
            "b: {c}",
            "b: [1] 2",
            "b: ~",
            "b:",
            "b: @",
            "a: 2",
            "   b: 1",
            "b:\n      c: 1",
            "b: one\n  two",
            "- 1",
            "just words",
        ):
            with self.subTest(text), self.assertRaisesRegex(yaml_subset.NotInSubset, r"\Aline [23]: "):
                yaml_subset.read(f"a: 1\n{text}")


class Validator(unittest.TestCase):
    """tests/contract.py: that each keyword can say no."""

    def test_each_keyword_refuses_what_it_should_and_nothing_else(self) -> None:
        document = {"openapi": "3.1.0", "paths": {}, "components": {"schemas": {"S": {"type": "string"}}}}
        of = contract.Contract(document)
        for schema, good, bad in (
            ({"type": "integer"}, [1, 1.0, -3], [True, 1.5, "1", None]),
            ({"type": ["number", "null"]}, [1, 0.5, None], [False, "", []]),
            ({"enum": ["a", 1, None]}, ["a", 1, None], [True, "b", 0]),
            ({"const": True}, [True], [1, False]),
            ({"required": ["a"]}, [{"a": None}, 1], [{}]),
            ({"properties": {"a": {"type": "null"}}}, [{}, {"a": None}, 1], [{"a": 1}, {"b": 1}]),
            ({"properties": {"a": {"type": "null"}}, "additionalProperties": True}, [{"b": 1}], [{"a": 1}]),
            ({"properties": {"a": True}, "additionalProperties": False}, [{"a": 1}, {}], [{"b": 1}]),
            ({"additionalProperties": {"type": "string"}}, [{"a": ""}], [{"a": 1}]),
            ({"items": {"type": "string"}}, [[], ["a"]], [["a", 1]]),
            ({"oneOf": [{"type": "number"}, {"type": "integer"}]}, [1.5], [1, ""]),
            ({"anyOf": [{"type": "number"}, {"type": "integer"}]}, [1.5, 1], [""]),
            ({"not": {"type": "number"}}, [""], [1]),
            ({"minimum": 1, "maximum": 2}, [1, 2, "x"], [0, 2.1]),
            ({"exclusiveMinimum": 0}, [0.1], [0, -1]),
            ({"minItems": 1, "maxItems": 2}, [[1], [1, 2], "xxx"], [[], [1, 2, 3]]),
            ({"minLength": 1, "maxLength": 2}, ["ab", 123], ["abc", ""]),
            ({"minProperties": 1, "maxProperties": 1}, [{"a": 1}], [{"a": 1, "b": 2}, {}]),
            ({"pattern": "^a+$"}, ["aa", 1], ["ab", ""]),
            ({"format": "date-time"}, ["2026-11-23T12:49:48.123Z", "2026-11-23T12:49:48+01:00"], ["2026-11-23", "now"]),
            ({"$ref": "#/components/schemas/S"}, ["a"], [1]),
            (False, [], [1]),
        ):
            for value in good:
                self.assertEqual([], list(of.faults(value, schema)), (schema, value))
            for value in bad:
                self.assertTrue(list(of.faults(value, schema)), (schema, value))

    def test_a_keyword_that_is_not_known_is_an_error_and_not_a_pass(self) -> None:
        with self.assertRaises(ValueError):
            list(contract.load().faults(1, {"multipleOf": 2}))


if __name__ == "__main__":
    unittest.main()
