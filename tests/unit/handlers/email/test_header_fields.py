"""Header fields: which texts become encoded words and which never do, and where lines are broken."""

import re
import unittest
from email import message_from_bytes, policy

from lib.handlers.email.header_fields import date, given_header, header, mailboxes, unstructured
from lib.handlers.email.mailbox import Mailbox
from tests.unit.handlers.email.letters import letter, lines_of, pointers, read

ENCODED_WORD = re.compile(r"=\?utf-8\?[qb]\?[^? ]*\?=")
WILD = (
    "Grüße aus Wien",
    "日本語の件名" * 20,
    "😀" * 60,
    "é" * 300,
    "a=b_c?d é" * 20,
    "ü" + "x" * 900,
    "x" * 950,
    "=?x?=",
)
URLS = ["List-Unsubscribe", "List-Subscribe", "List-Help", "List-Post", "List-Owner", "List-Archive"]
ADDRESSES = [
    "Disposition-Notification-To",
    "Return-Receipt-To",
    "X-Confirm-Reading-To",
    "Errors-To",
    "Mail-Followup-To",
]
TOKENS = [
    "Auto-Submitted",
    "Precedence",
    "In-Reply-To",
    "References",
    "List-Unsubscribe-Post",
    "Importance",
    "X-Priority",
    "Priority",
    "Sensitivity",
    "Archived-At",
    "Accept-Language",
    "Disposition-Notification-Options",
    "X-Auto-Response-Suppress",
    "Feedback-ID",
    "Expires",
]


def value_of(field: str) -> str:
    """A field's value as Python's parser reads it, without the blank that the parser leaves before a value that begins
    on the second line."""
    message = message_from_bytes(field.encode("ascii") + b"\r\n\r\n", policy=policy.default)
    return str(message[field.partition(":")[0]]).lstrip(" ")


class Texts(unittest.TestCase):
    def test_every_line_with_an_encoded_word_has_76_characters_at_most_whatever_the_fields_name_is(self) -> None:
        for name in ("Subject", "X-A", "X-A-Long-Name-For-A-Header-Field-Of-Yours", "X-" + "N" * 60, "X" * 76):
            for text in WILD:
                with self.subTest(name=name, text=text):
                    field = header(name, unstructured(text, name))

                    first, *others = field.split("\r\n")
                    self.assertLessEqual(max(map(len, others), default=0), 76)
                    self.assertTrue(len(first) <= 76 or first == f"{name}:")
                    self.assertEqual(value_of(field), text)

    def test_a_subject_begins_beside_its_name(self) -> None:
        for text in WILD:
            first = lines_of(letter(subject=text).content, "Subject")[0]

            self.assertRegex(first, r"^Subject: =\?")
            self.assertLessEqual(len(first), 76)

    def test_no_encoded_word_ends_within_a_character(self) -> None:
        for begin in range(8):
            for text in ("é日😀" * 60, "ab😀" * 60):
                words = ENCODED_WORD.findall(header("Subject", unstructured("x" * begin + text, "Subject")))

                self.assertGreater(len(words), 2)
                self.assertEqual("".join(value_of(f"Subject: {word}") for word in words), "x" * begin + text)

    def test_blanks_at_the_edges_go_and_those_within_stay(self) -> None:
        for subject, kept in (
            (" led", "led"),
            ("trailing ", "trailing"),
            ("Grüße  aus ", "Grüße  aus"),
            ("a  b   c", "a  b   c"),
            ("  ", ""),
            ("word  " * 40, ("word  " * 40).strip()),
        ):
            with self.subTest(subject=subject):
                content = letter(subject=subject, headers={"X-Note": subject}).content

                self.assertEqual(kept.isascii(), b"=?" not in content)
                self.assertEqual((read(content)["Subject"], read(content)["X-Note"]), (kept, kept))

    def test_a_plain_text_is_folded_at_78(self) -> None:
        lines = lines_of(letter(subject="word " * 100 + "end").content, "Subject")

        self.assertLessEqual(max(map(len, lines)), 78)
        self.assertGreater(min(map(len, lines[:-1])), 70)

    def test_a_field_that_nobody_knows_is_a_text(self) -> None:
        message = read(letter(headers={"X-Campaign": "Frühling", "Organization": "Käse & Söhne"}).content)

        self.assertEqual((message["X-Campaign"], message["Organization"]), ("Frühling", "Käse & Söhne"))


class Names(unittest.TestCase):
    def test_a_first_name_leaves_room_for_its_field(self) -> None:
        for name in ("To", "Reply-To", "Disposition-Notification-To"):
            for label in ("Ö" * 60, "日本" * 30, "Zoë " * 30 + "x"):
                with self.subTest(name=name, label=label):
                    box = Mailbox(label, "a@x.example")
                    lines = header(name, mailboxes([box, box], name)).split("\r\n")

                    self.assertLessEqual(max(map(len, lines)), 76)
                    self.assertRegex(lines[0], r"^[A-Za-z-]+: =\?")
                    self.assertEqual(value_of("Subject: " + "\r\n".join(lines).partition(": ")[2]).count(label), 2)


class Programs(unittest.TestCase):
    """Fields for programs."""

    def test_what_is_ascii_goes_out_as_it_came_however_long(self) -> None:
        for name, value in (
            *(
                (name, f"<https://example.com/u?t={'a' * length}>")
                for name in URLS
                for length in (10, 70, 300, 900, 940)
            ),
            ("List-Unsubscribe", f"<https://example.com/u?t={'a' * 900}>, <mailto:leave@example.com?subject=x>"),
            ("List-Unsubscribe", "<mailto:leave@example.com> (mail us), <https://example.com/u>"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
            ("List-Id", '"News, daily" <news.example.com>'),
            ("References", " ".join(f"<{n:040}@mail.example.com>" for n in range(30))),
            ("In-Reply-To", f"<{'a' * 300}@mail.example.com>"),
            ("Disposition-Notification-To", '"Doe, Jane" <jane@x.example>'),
            ("Disposition-Notification-To", "=?utf-8?q?J=C3=B6rg?= <j@x.example>"),
            ("Auto-Submitted", "auto-replied"),
            ("Autocrypt", "addr=a@x.example; keydata=" + " ".join(["A" * 70] * 20)),
            ("References", f"<{'a' * 980}@x>"),
        ):
            with self.subTest(name=name, value=value):
                field = given_header(name, value)

                unfolded = field.replace("\r\n", "")
                self.assertEqual(unfolded.partition(":")[2].strip(), value)
                self.assertLessEqual(max(map(len, field.split("\r\n"))), 998)
                self.assertNotIn("=?utf-8?b", field)

    def test_nothing_beyond_ascii_is_ever_encoded_where_no_program_looks_for_it(self) -> None:
        for name in (*URLS, *ADDRESSES, *TOKENS, "List-Id", "List-ID", "DISPOSITION-NOTIFICATION-TO"):
            for value in (
                "bücher",
                "<bücher",
                "jörg@x.example",
                "<https://bücher.example/>",
                "a <ö@x.example>",
                "é" * 900,
            ):
                with self.subTest(name=name, value=value):
                    self.assertEqual(pointers(headers={name: value}), [f"/payload/headers/{name}"])

    def test_a_name_before_an_address_is_encoded_alone(self) -> None:
        for name in ADDRESSES:
            for value, written in (
                ("Jörg <j@x.example>", "=?utf-8?b?SsO2cmc=?= <j@x.example>"),
                ("a@x.example, Jörg <j@x.example>", "a@x.example, =?utf-8?b?SsO2cmc=?= <j@x.example>"),
                ('"Doe, Jörg" <j@X.example>', "=?utf-8?q?Doe=2C_J=C3=B6rg?= <j@x.example>"),
                ("<j@bücher.example>", "j@xn--bcher-kva.example"),
            ):
                with self.subTest(name=name, value=value):
                    self.assertEqual(given_header(name, value).replace("\r\n", ""), f"{name}: {written}")

    def test_a_lists_name_is_encoded_and_its_id_is_not(self) -> None:
        for phrase in ("Grüße", '"Grüße"'):
            self.assertEqual(
                given_header("List-Id", f"{phrase} <news.example.com>"),
                "List-Id: =?utf-8?b?R3LDvMOfZQ==?= <news.example.com>",
            )

    def test_keywords_are_encoded_one_by_one(self) -> None:
        self.assertEqual(given_header("Keywords", "Käse, Brot"), "Keywords: =?utf-8?b?S8Okc2U=?=, Brot")

    def test_a_url_is_percent_encoded_as_browsers_do(self) -> None:
        for name in URLS:
            field = given_header(
                name, "<https://example.com/ä?wer=Zoë#ü>, <mailto:weg@x.example?subject=Tschüß> (für Sie)"
            )

            self.assertEqual(
                re.sub(r"\r\n", "", field),
                f"{name}: <https://example.com/%C3%A4?wer=Zo%C3%AB#%C3%BC>,"
                " <mailto:weg@x.example?subject=Tsch%C3%BC%C3%9F> (=?utf-8?q?f=C3=BCr_Sie?=)",
            )

    def test_urls_that_stand_close_together_are_parted_where_a_line_may_end(self) -> None:
        field = given_header("List-Unsubscribe", f"<https://example.com/{'a' * 600}>,<https://example.com/{'b' * 600}>")

        self.assertEqual([len(line) for line in field.split("\r\n")], [641, 623])

    def test_a_url_that_no_line_holds_is_broken_within_its_brackets(self) -> None:
        for length in (970, 975, 980, 1500, 1990):
            with self.subTest(length=length):
                url = "<https://example.com/?t=".ljust(length - 1, "a") + ">"

                content = letter(headers={"List-Unsubscribe": url}).content

                self.assertLessEqual(max(map(len, content.split(b"\r\n"))), 998)
                # RFC 2369, 2: whitespace within the brackets is left out.
                self.assertEqual(
                    "".join(lines_of(content, "List-Unsubscribe")).replace(" ", ""), f"List-Unsubscribe:{url}"
                )

    def test_an_id_that_no_line_holds_is_refused(self) -> None:
        for name, value in (
            ("References", f"<{'a' * 997}>"),
            ("X-Priority", "1" * 998),
            ("List-Id", f"<{'a' * 1200}>"),
        ):
            self.assertEqual(pointers(headers={name: value}), [f"/payload/headers/{name}"])

    def test_ids_without_blanks_are_parted(self) -> None:
        ids = "".join(f"<{n:040}@mail.example.com>" for n in range(30))

        self.assertLessEqual(max(map(len, given_header("References", ids).split("\r\n"))), 78)


class Dates(unittest.TestCase):
    def test_a_date_says_that_it_is_utc(self) -> None:
        self.assertEqual(date(1_795_000_000.9), "Wed, 18 Nov 2026 11:06:40 +0000")


if __name__ == "__main__":
    unittest.main()
