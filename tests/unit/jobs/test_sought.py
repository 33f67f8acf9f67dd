"""A text is found in what is shown of a job, and in nothing that is hidden."""

import re
import unittest
from random import Random
from typing import Any

from lib.jobs.backoff import Backoff
from lib.jobs.job import JobRecord
from lib.jobs.masking import MASK
from lib.jobs.shown import job_text
from lib.jobs.sought import folded, lua_text, shows
from lib.jobs.spec import JobSpec
from lib.json_text import to_json
from lib.tracing import Trace

TRACE = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "01")


def a_record(payload: dict[str, Any], error: dict[str, Any] | None = None, **fields: Any) -> JobRecord:
    spec = JobSpec("mail", payload, "r1", TRACE, 5, 60.0, Backoff(), **fields)
    text = spec.to_text().encode()
    return JobRecord("q-1", "q", "dead", JobSpec.from_text(text), error=error, spec_text=text)


def finds(sought: str, kept: bytes) -> bool:
    """As page.lua does it."""
    text = lua_text(sought).encode("utf-8", "surrogateescape")
    if not text.startswith(b"\1"):
        return text in kept.lower()
    return re.search(re.sub(rb"%(.)", lambda found: re.escape(found[1]), text[1:]), kept.lower()) is not None


class Found(unittest.TestCase):
    def test_what_is_shown_of_the_spec_and_of_the_error_is_found_in_any_case(self) -> None:
        error = {"type": "SMTPError", "message": "Mailbox full", "traceback": "line 7"}
        record = a_record({"to": "Ann@Example.com", "n": [1234]}, error, tags=("eu",), unique_key="Order-4711")

        for text in (
            "ann@example.COM",
            "1234",
            '"to":"ann',
            "order-4711",
            "mailbox FULL",
            "smtperror",
            "line 7",
            '"eu"',
        ):
            self.assertTrue(shows(record, text), text)
        self.assertFalse(shows(record, "bob@"))
        self.assertEqual("äö xyz ß", folded("äÖ XYZ ß"))
        record = a_record({"a": "Ärger mit МЮЛЛЕР", "b": "ΣΊΣΥΦΟΣ"})
        for text in ("ärger", "ÄRGER", "мюллер", "Мюллер", "σίσυφοσ"):
            self.assertTrue(shows(record, text), text)
        self.assertFalse(shows(record, "arger"))

    def test_a_field_is_found_as_a_row_of_a_list_shows_it_and_as_json_has_it(self) -> None:
        record = a_record({"mail_no": 4711, "city": "Berlin", "url": "https://a.example:80/", "note": "at 12:30"})

        for text in ("mail_no: 4711", '"mail_no":4711', '"mail_no": 4711', "MAIL_NO:4711", "city: berlin", "city:Ber",
                     "city: Berlin", "url: https://a", "https://a.example:80", "at 12:30"):  # fmt: skip
            self.assertTrue(shows(record, text), text)
        for text in ("mail_no: 711", '"mail_no":"4711', "mail_no::4711", "city berlin"):
            self.assertFalse(shows(record, text), text)

    def test_what_is_masked_is_not_found_nor_the_mask_itself(self) -> None:
        error = {"type": "X", "message": "hunter2 is wrong; token=tok-99 too", "traceback": ""}
        record = a_record(
            {"password": "hunter2", "deep": [{"api_key": ["k-1", {"a": "k-2"}]}], "to": "ann"},
            error,
            callback_url="https://a.example/x?sig=s3cret",
        )

        for text in ("hunter2", "k-1", "k-2", "s3cret", "tok-99", "***", MASK, '"password":"*', '"password":"h',
                     "password: h", "password:hunter", "token: tok"):  # fmt: skip
            self.assertFalse(shows(record, text), text)
        for text in ('"password":', '"to":"ann"', "https://a.example/x?sig=", "is wrong"):
            self.assertTrue(shows(record, text), text)

    def test_whatever_is_shown_stands_in_the_kept_text_as_well(self) -> None:
        """Else page.lua would pass over a job that fits, or find it only because of what is hidden in it."""
        rng, found = Random(3), 0
        names = ("password", "to", "api_key", "max_tokens", "a")
        values: tuple[Any, ...] = ("hunter2", 'qu"ote', "zwei\nZeilen", "Ärger", 4, 1.5, None, True, ["x", "y"])
        for _ in range(300):
            payload: dict[str, Any] = {rng.choice(names): rng.choice(values) for _ in range(4)}
            secret = str(payload.get("password"))
            error = {"type": "X", "message": f"it was {secret} and password={secret}", "traceback": "y"}
            record = a_record(payload, error, callback_url="https://a.example/?a=b&c=d")
            kept = [record.spec_text, to_json(error).encode()]
            shown = job_text(record)
            for _ in range(30):
                at = rng.randrange(len(shown) - 4)
                piece = shown[at : at + rng.randrange(3, 50)]
                piece = rng.choice((piece, piece.swapcase(), piece.replace('":', ": "), re.sub('":"?', ":", piece)))
                if shows(record, piece):
                    found += 1
                    self.assertTrue(any(finds(piece, text) for text in kept), (piece, record))
        self.assertGreater(found, 500)

    def test_what_can_not_be_shown_is_not_searched(self) -> None:
        record = a_record({"a": "b"})

        self.assertFalse(shows(record._replace(spec=None), "mail"))
        self.assertFalse(shows(record._replace(spec_text=record.spec_text.replace(b'":"b"', b'": "b"')), "mail"))


class Attack(unittest.TestCase):
    def test_two_jobs_that_are_shown_alike_are_found_by_the_same_texts(self) -> None:
        """Whatever a caller looks for: parts of the secrets, of masks, and what stands around them."""
        rng = Random(4)
        cases, secrets = 0, ("hunter2", "********", "ann", "0000", 'x"y', "to")
        for _ in range(400):
            pair = []
            for secret in rng.sample(secrets, 2):
                error = {"type": "X", "message": "failed: password=" + secret, "traceback": ""}
                pair.append(a_record({"to": "ann", "password": secret, "n": 1}, error))
            if job_text(pair[0]) != job_text(pair[1]):
                continue
            cases += 1
            texts = [record.spec_text.decode() for record in pair] + [to_json(record.error) for record in pair]
            text = rng.choice((*texts, '"password":"********","n":1'))
            at = rng.randrange(max(1, len(text) - 4))
            piece = text[at : at + rng.randrange(3, 16)]
            self.assertEqual(shows(pair[0], piece), shows(pair[1], piece), (piece, pair))
        self.assertGreater(cases, 100)


if __name__ == "__main__":
    unittest.main()
