"""A field of addresses, in every form that other mailers accept, and the pointers of its faults."""

import unittest
from time import process_time
from typing import Any

from lib.errors import FieldError
from lib.handlers.email.address_lists import Addressee, read


def addresses(value: Any) -> list[tuple[str, str]]:
    """The (name, address) pairs in a field's value; a fault fails the test."""
    faults: list[FieldError] = []
    boxes = read("/to", value, faults)
    assert not faults, faults
    return [(box.name, box.address) for box in boxes]


def faults_of(value: Any) -> list[FieldError]:
    faults: list[FieldError] = []
    read("/to", value, faults)
    return faults


class Forms(unittest.TestCase):
    def test_nobody(self) -> None:
        for value in (None, "", " ", " , ", ",;,", [], [None], ["", " ; "], "Nobody:;", "A:; , B: ;", [Addressee("")]):
            with self.subTest(value):
                self.assertEqual(addresses(value), [])

    def test_several_in_one_text(self) -> None:
        a, b, jane = ("", "a@x.example"), ("", "b@y.example"), ("Doe, Jane", "j@x.example")
        for text, wanted in (
            ("a@x.example,b@y.example", [a, b]),
            ("a@x.example; b@y.example;", [a, b]),
            (",, a@x.example ;, b@y.example ,", [a, b]),
            ('a@x.example, "Doe, Jane" <j@x.example>', [a, jane]),
            ('"Doe, Jane" <j@x.example>; a@x.example', [jane, a]),
            ('"Doe\\", \\"Jane" <j@x.example>, a@x.example', [('Doe", "Jane', "j@x.example"), a]),
            ("Team: a@x.example, b@y.example;", [a, b]),
            ("Team:a@x.example,b@y.example;,b@y.example", [a, b, b]),
            ('a@x.example, "The: team": "Doe, Jane" <j@x.example>;', [a, jane]),
            ("One: a@x.example; Two: b@y.example;", [a, b]),
            ('"a,b"@x.example, <"c;d:e"@x.example>', [("", '"a,b"@x.example'), ("", '"c;d:e"@x.example')]),
            ("a@x.example, a@x.example", [a, a]),
            ("Jürgen <j@x.example>, ü@x.example", [("Jürgen", "j@x.example"), ("", "ü@x.example")]),
        ):
            with self.subTest(text):
                self.assertEqual(addresses(text), wanted)

    def test_lists_of_every_form(self) -> None:
        value = [
            "a@x.example",
            None,
            "b@x.example, C <c@x.example>",
            Addressee("d@x.example", "D, d"),
            "G: e@x.example;",
            "",
        ]

        self.assertEqual(
            addresses(value),
            [
                ("", "a@x.example"),
                ("", "b@x.example"),
                ("C", "c@x.example"),
                ("D, d", "d@x.example"),
                ("", "e@x.example"),
            ],
        )
        self.assertEqual(addresses(Addressee("d@x.example", None)), [("", "d@x.example")])


class Faults(unittest.TestCase):
    def test_a_fault_is_told_at_its_entry_and_by_its_place_in_a_text(self) -> None:
        for value, pointer, words in (
            ("nobody", "/to", "is no address"),
            ("a@x.example, nobody, b@x.example", "/to", "holds 3 addresses, the second of which is no address"),
            (
                ["a@x.example", "b@x.example; @x.example"],
                "/to/1",
                "holds 2 addresses, the second of which has a part before",
            ),
            (
                "Doe, Jane <j@x.example>",
                "/to",
                "the first of which is no address; a name with a comma in it stands in double",
            ),
            ([Addressee("nobody")], "/to/0", "is not one address"),
            (Addressee("", "Jane"), "/to", "is not one address"),
            ([Addressee("a@x.example", "a\nb")], "/to/0", "line break"),
            ("a@x.example,\r\n b@x.example", "/to", "line break"),
            ("mailto:a@x.example", "/to", "no ; that ends it"),
            ("A: b@x.example, B: c@x.example;", "/to", "begins no group"),
            (": a@x.example;", "/to", "begins no group"),
            ('a@x.example, "b@x.example', "/to", "the second of which"),
            ("Jane <a@x.example, b@x.example", "/to", "is not one address"),
        ):
            with self.subTest(value):
                [fault] = faults_of(value)

                self.assertEqual(fault.pointer, pointer)
                self.assertIn(words, fault.detail)

    def test_every_wrong_one_is_told(self) -> None:
        self.assertEqual(
            [fault.pointer for fault in faults_of(["x", "a@x.example, y, z"])], ["/to/0", "/to/1", "/to/1"]
        )

    def test_more_than_a_hundred_are_told_once(self) -> None:
        for value in (
            ["a@x.example"] * 101,
            ["x"] * 1_000_000,
            ", ".join(["a@x.example"] * 101),
            ["a@x.example,b@x.example"] * 51,
            "x," * 100_000,
        ):
            with self.subTest(str(value)[:40]):
                [fault] = faults_of(value)

                self.assertEqual(fault.pointer, "/to")
                self.assertIn("at most 100", fault.detail)

    def test_a_text_that_opens_and_never_ends_takes_no_longer_than_its_length_asks(self) -> None:
        for piece in ('"', "<", "[", '"\\', '<"', '"a', "a:", '["<', '"" '):
            with self.subTest(piece):
                begun_s = process_time()

                self.assertTrue(faults_of("a@x.example," + piece * (300_000 // len(piece))))

                self.assertLess(process_time() - begun_s, 1)


if __name__ == "__main__":
    unittest.main()
