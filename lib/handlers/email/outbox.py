"""Mails as files `<job id>.eml` in OUTBOX_DIR: for development, and for a look at what would have been sent.

Called by mailer.py, in its threads, if SMTP_URL is unset.
"""

import os
import tempfile
from pathlib import Path

from lib.handlers.email.letter import Letter
from lib.handlers.email.smtp.session import Receipt


class Outbox:
    """folder: made with the first mail, if it does not exist yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, letter: Letter) -> Receipt:
        """Write the letter. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{letter.name}.eml"
        # A draft that is renamed: a reader never finds half a mail. No fsync: nobody waits for these mails after a
        # power cut.
        handle, draft = tempfile.mkstemp(prefix=f".{letter.name}.", suffix=".tmp", dir=self._folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(letter.content)
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
        return Receipt(f"written to {path.name}", letter.recipients, {}, path.name)

    def probe(self) -> str:
        """A line that says where mails go. Raises OSError if the folder can't be written to."""
        self._folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=self._folder).close()
        return f"Mail: SMTP_URL is unset; mails are written to {self._folder}"
