"""prod/.env.example against the table of settings: the same names in the same order, the same words and defaults."""

import re
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory

from lib.settings import config, settings_table

EXAMPLE = Path(__file__).resolve().parents[2] / "prod" / ".env.example"


def shown(setting: settings_table.Setting) -> str:
    # Quotes, so that a shell and systemd read a value with spaces as Waybill does.
    value = f'"{setting.default}"' if " " in setting.default else setting.default
    return f"# {setting.about}\n#{setting.name}={value}\n"


class EnvExample(unittest.TestCase):
    def setUp(self) -> None:
        self.text = EXAMPLE.read_text(encoding="utf-8")

    def test_every_setting_is_shown_in_the_tables_order_with_its_words_and_default(self) -> None:
        self.maxDiff = None
        _head, _, settings = self.text.partition("\n\n")

        self.assertEqual("\n".join(shown(setting) for setting in settings_table.SETTINGS), settings)

    def test_a_copy_changes_nothing(self) -> None:
        with TemporaryDirectory() as folder:
            plain = config.load({}, Path(folder))
            (Path(folder) / ".env").write_text(self.text, encoding="utf-8")

            copied = config.load({}, Path(folder))

        self.assertEqual(repr(plain).replace("env_files=()", "env_files=('.env',)"), repr(copied))

    def test_a_copy_with_every_line_taken_in_means_the_defaults(self) -> None:
        with TemporaryDirectory() as folder:
            plain = config.load({}, Path(folder))
            taken_in = re.sub(r"(?m)^#(?=[A-Z])", "", self.text)
            (Path(folder) / ".env").write_text(taken_in, encoding="utf-8")

            copied = config.load({}, Path(folder))

        for setting in settings_table.SETTINGS:
            name = setting.name.lower()
            self.assertEqual(getattr(plain, name), getattr(copied, name), name)


if __name__ == "__main__":
    unittest.main()
