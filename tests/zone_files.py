"""tzdata of a test's own: a folder with one zone, whose rules a test may change as an upgrade of tzdata does.

with own_zone("Test/Zone", 3600) as zone:       # an hour ahead of UTC, for this process
    zone.upgrade(7200)                          # this process goes on by 3600 until zones.read_anew()
Worker(url, PYTHONTZPATH=write_zone(folder, "Test/Zone", 3600))     # for another process
"""

import contextlib
import struct
import tempfile
import zoneinfo
from collections.abc import Iterator
from pathlib import Path

from lib.jobs import zones

LONDON = "Europe/London"


class OwnZone:
    """The one zone that this process knows, beside a Europe/London: where that is missing, tzdata is."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name

    def upgrade(self, offset_s: int) -> None:
        """From now on the file says that the zone is so many seconds ahead of UTC."""
        write_zone(self._folder, self._name, offset_s)

    def remove(self) -> None:
        """As where somebody removes the package tzdata."""
        for name in (self._name, LONDON):
            (self._folder / name).unlink()


@contextlib.contextmanager
def own_zone(name: str, offset_s: int) -> Iterator[OwnZone]:
    """For as long as this lasts, this process reads tzdata from a folder that has one zone."""
    before = zoneinfo.TZPATH
    with tempfile.TemporaryDirectory(prefix="wb-zones-") as folder:
        zone = OwnZone(Path(folder), name)
        zone.upgrade(offset_s)
        write_zone(Path(folder), LONDON, 0)
        zoneinfo.reset_tzpath(to=[folder])
        zones.read_anew()
        try:
            yield zone
        finally:
            zoneinfo.reset_tzpath(to=before)
            zones.read_anew()


def write_zone(folder: Path, name: str, offset_s: int) -> Path:
    """A folder with one zone of a fixed offset, in the form of RFC 9636 (TZif, version 1): no transition, one type of
    local time, whose name is FLT."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    head = b"TZif" + bytes(16) + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    path.write_bytes(head + struct.pack(">lbB", offset_s, 0, 0) + b"FLT\0")
    return folder
