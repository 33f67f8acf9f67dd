"""A Chromium for tests/browser: one that is here, or Debian's, installed. Where there can be none, these tests are
skipped, and say so.

Only apt-get: Debian's package is the browser itself. (Ubuntu's of that name is a snap, which needs a running snapd and
can't be had in a container: installing it fails there, and that is said.)
"""

import shutil

from prod.local.packages import install

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PACKAGES = {"apt-get": ("chromium",)}


def binary() -> str:
    """The path of a browser, or nothing."""
    return next((path for path in map(shutil.which, PROGRAMS) if path), "")


def main(_arguments: list[str]) -> int:
    """Install one where none is. Status 0 also where it can't be had: the tests run without."""
    reason = "" if binary() else install(PACKAGES, lambda: bool(binary()))
    found = binary()
    print(f"Chromium: {found}" if found else f"No Chromium here ({reason}): the tests in tests/browser are skipped.")
    return 0
