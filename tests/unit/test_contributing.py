"""CONTRIBUTING.md against the project: every file that it names is there."""

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Contributing(unittest.TestCase):
    def test_every_file_that_it_names_is_there(self) -> None:
        text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
        names = {path.name for folder in ("lib", "prod", "tests") for path in (ROOT / folder).rglob("*")}

        for name in {*re.findall(r"`((?:[\w.-]+/)*[\w.-]+(?:\.(?:py|lua|md|yaml|json|conf|example)|/))`", text)}:
            with self.subTest(name):
                self.assertTrue((ROOT / name).exists() or ("/" not in name and name in names))


if __name__ == "__main__":
    unittest.main()
