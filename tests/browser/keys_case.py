"""A server that asks for keys: for the tests of signing in and out."""

import secrets
import signal
import tempfile
from pathlib import Path
from typing import ClassVar

from lib.settings import api_keys
from tests.browser.case import BrowserCase
from tests.browser.tab import Tab

READ, READ_ENTRY = api_keys.new_key("looker", "read", "", secrets.choice)
WRITE, WRITE_ENTRY = api_keys.new_key("ops", "write", "", secrets.choice)


class KeysCase(BrowserCase):
    """keys: the file of the keys."""

    keys: ClassVar[Path]

    @classmethod
    def setUpClass(cls) -> None:
        cls.keys = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="wb-keys-")), "keys")
        cls.keys.write_text(f"{READ_ENTRY}\n{WRITE_ENTRY}\n", encoding="utf-8")
        cls.settings = {"API_KEYS_FILE": cls.keys}
        super().setUpClass()

    def signed_in(self, key: str) -> Tab:
        tab = self.opened()
        self.sign_in(tab, key)
        tab.wait_for("main h1")
        return tab

    def sign_in(self, tab: Tab, key: str) -> None:
        tab.wait_for("#key")
        tab.js("document.getElementById('key').focus()")
        tab.type(key)
        tab.press("Enter")

    def write_keys(self, *entries: str) -> None:
        """From now on these are the keys."""
        before = len(self.server.logged("keys.reread"))
        self.keys.write_text("\n".join(entries), encoding="utf-8")
        self.server.signal(signal.SIGHUP)
        self.server.wait_for("keys.reread", before + 1)
