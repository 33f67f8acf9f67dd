"""The payload of an email job: which payloads are refused at POST, and at which pointer each fault is reported."""

import unittest
from typing import Any

from lib.jobs.payload import Invalid
from tests.unit.handlers.email.letters import decode, letter


class Refusals(unittest.TestCase):
    def pointers(self, **fields: Any) -> list[str]:
        with self.assertRaises(Invalid) as caught:
            letter(**fields)
        return [error.pointer for error in caught.exception.errors]

    def test_every_fault_is_told_at_once_and_at_its_place(self) -> None:
        pointers = self.pointers(
            to=["a@b.example", "nobody"], cc="x@y@z", subject="a\nb", headers={"X-Foo": "1\r\nBcc: me@x.example"}
        )

        self.assertEqual(pointers, ["/payload/to/1", "/payload/cc", "/payload/subject", "/payload/headers/X-Foo"])

    def test_no_line_break_or_control_character_passes_into_a_header(self) -> None:
        for unfit in (
            "\r",
            "\n",
            "\r\n",
            "\0",
            "\t",
            "\x0b",
            "\x0c",
            "\x1c",
            "\x7f",
            "\x85",
            "\u2028",
            "\u2029",
            "\udc0a",
        ):
            with self.subTest(unfit=unfit):
                text = f"a{unfit}b"

                self.assertEqual(self.pointers(subject=text), ["/payload/subject"])
                self.assertEqual(self.pointers(to=f"{text} <a@b.example>"), ["/payload/to"])
                self.assertEqual(self.pointers(to=f"a@b.example{unfit}"), ["/payload/to"])
                self.assertEqual(self.pointers(reply_to=[f"{text}@b.example"]), ["/payload/reply_to/0"])
                self.assertEqual(self.pointers(headers={"X-A": text}), ["/payload/headers/X-A"])
                self.assertEqual(len(self.pointers(headers={f"X-{text}": "1"})), 1)

    def test_headers_that_waybill_writes_are_refused_in_any_case(self) -> None:
        for name in (
            "Bcc",
            "FROM",
            "content-Type",
            "Resent-To",
            "X-Request-ID",
            "DKIM-Signature",
            "message-id",
            "Sender",
            "X-Received",
            "Delivery-Date",
            "Envelope-To",
        ):
            with self.subTest(name=name):
                self.assertEqual(self.pointers(headers={name: "1"}), [f"/payload/headers/{name}"])

    def test_a_header_name_is_ftext_and_its_pointer_escaped(self) -> None:
        self.assertEqual(self.pointers(headers={"X Foo": "1"}), ["/payload/headers/X Foo"])
        self.assertEqual(self.pointers(headers={"X/Foo:": "1"}), ["/payload/headers/X~1Foo:"])
        self.assertEqual(self.pointers(headers={"": "1"}), ["/payload/headers/"])
        self.assertEqual(self.pointers(headers={"X-Ä": "1"}), ["/payload/headers/X-Ä"])
        self.assertEqual(self.pointers(headers={"X-A": "1", "x-a": "2"}), ["/payload/headers/x-a"])

    def test_a_mail_to_nobody_is_told_at_to(self) -> None:
        nobody = {"to": None, "cc": "", "bcc": [None, " ", ""]}

        self.assertEqual(self.pointers(**nobody), ["/payload/to"])
        self.assertEqual(self.pointers(**nobody, reply_to="nobody"), ["/payload/reply_to", "/payload/to"])
        self.assertEqual(self.pointers(to="a..b@", cc=""), ["/payload/to"])
        with self.assertRaises(Invalid):
            decode({"subject": "Hi", "text": "Hello"}, "/payload")

    def test_a_sender_is_one(self) -> None:
        for wrong in ("a@x.example, b@x.example", "nobody", {"address": "x"}):
            with self.subTest(wrong):
                self.assertEqual(self.pointers(**{"from": wrong}), ["/payload/from"])
        self.assertEqual(self.pointers(**{"from": ["a@x.example"]}), ["/payload/from"])
        self.assertEqual(self.pointers(from_="a@x.example"), ["/payload/from_"])
        for nobody in (None, "", {"address": ""}):
            payload = decode({"from": nobody, "to": "a@b.example", "subject": "", "text": ""}, "")
            self.assertIsNone(payload.sender)

    def test_a_wrong_entry_of_an_object_is_told_at_its_member(self) -> None:
        self.assertEqual(self.pointers(to=[{"address": 1}]), ["/payload/to/0/address"])
        self.assertEqual(self.pointers(to={"name": "x"}), ["/payload/to/address"])
        self.assertEqual(self.pointers(to=["a@b.example", {"address": "a@b.example", "x": 1}]), ["/payload/to/1/x"])
        self.assertEqual(self.pointers(to=[["a@b.example"]]), ["/payload/to/0"])

    def test_limits(self) -> None:
        many = [f"a{n}@b.example" for n in range(101)]

        self.assertEqual(self.pointers(to=many), ["/payload/to"])
        self.assertEqual(self.pointers(to=many[:60], bcc=many[60:]), ["/payload/to"])
        self.assertEqual(self.pointers(to=[]), ["/payload/to"])
        self.assertEqual(self.pointers(subject="x" * 999), ["/payload/subject"])
        self.assertEqual(self.pointers(headers={"X-A": "x" * 2001}), ["/payload/headers/X-A"])
        self.assertEqual(self.pointers(headers={f"X-{n}": "" for n in range(31)}), ["/payload/headers"])
        self.assertEqual(len(letter(to=many[:100]).recipients), 100)

    def test_a_mail_needs_a_text(self) -> None:
        self.assertEqual(self.pointers(text=None), ["/payload/text"])
        self.assertEqual(self.pointers(text="half \ud83d of a pair"), ["/payload/text"])

    def test_on_uncertain_is_retry_or_stop(self) -> None:
        self.assertEqual(self.pointers(on_uncertain="ask"), ["/payload/on_uncertain"])
        self.assertEqual(decode({"to": "a@b.example", "subject": "", "text": ""}, "").on_uncertain, "retry")
