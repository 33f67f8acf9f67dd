"""lib/warning_codes.py: one list of codes, in the code, in openapi.yaml and in the notes; each is made and tested."""

import re
import unittest
from pathlib import Path

from lib.warning_codes import KINDS, HealthWarning
from tests import contract

ROOT = Path(__file__).resolve().parents[2]


def quoted_in(*folders: str) -> set[str]:
    """The codes that stand in quotation marks in the Python of these folders, but in the table and in this test."""
    passed_over = {ROOT / "lib" / "warning_codes.py", Path(__file__).resolve()}
    files = {path for folder in folders for path in (ROOT / folder).rglob("*.py")} - passed_over
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    return {code for code in KINDS if f'"{code}"' in text}


class Codes(unittest.TestCase):
    def test_the_contract_lists_them_all_and_says_what_each_means(self) -> None:
        schema = contract.load().schema("HealthWarning")

        self.assertEqual([*KINDS], schema["properties"]["code"]["enum"])
        self.assertEqual([*KINDS], re.findall(r"^- `([a-z_]+)`", schema["description"], re.MULTILINE))
        self.assertEqual({kind.severity for kind in KINDS.values()}, {*schema["properties"]["severity"]["enum"]})

    def test_the_notes_say_what_to_do_about_each(self) -> None:
        notes = (ROOT / "prod" / "DEPLOYMENT-NOTES.md").read_text(encoding="utf-8")
        section = notes.partition("### What /api/health warns of")[2].partition("\n## ")[0]

        self.assertEqual([*KINDS], re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE)[1:])

    def test_each_is_made_somewhere_and_provoked_by_a_test(self) -> None:
        self.assertEqual({*KINDS}, quoted_in("lib"))
        self.assertEqual({*KINDS}, quoted_in("tests/redis", "tests/system", "tests/unit/redis_link"))

    def test_the_advice_is_that_of_the_kind_unless_there_is_a_better_one(self) -> None:
        plain = HealthWarning("no_worker", "no worker is running")

        self.assertEqual("no worker is running; start one with python worker.py", plain.sentence)
        self.assertEqual(("wait", "error"), (plain._replace(advice="wait").what_to_do, plain.severity))
