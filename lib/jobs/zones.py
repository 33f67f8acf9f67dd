"""Time zones by their IANA names, as in "Europe/Berlin".

`UTC` needs no data of the host. The rules of every other zone come from the host's tzdata, or from PyPI's package
`tzdata` where somebody has installed it; Waybill asks for neither. A process reads a zone's rules once, and again after
`read_anew`: the host's tzdata may be upgraded under a process that runs for months.
"""

import contextlib
import functools
import re
import zoneinfo
from datetime import UTC, tzinfo
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

UTC_NAMES: Final = frozenset({"UTC", "Etc/UTC", "Z"})
# Zones of the host itself, which other hosts do not share, and one that stands for "not yet set".
_NO_ZONES: Final = frozenset({"localtime", "Factory", "posixrules"})
_OFFSET: Final = re.compile(r"(?:UTC|GMT)?[+-][0-9]{1,2}(?::?[0-9]{2})?", re.IGNORECASE)
_LONGEST_SHOWN: Final = 100
READ_ANEW_S: Final = 86_400.0
"""Servers and supervisors read the host's tzdata anew after so long."""
INSTALL: Final = "install it: apt-get install tzdata, or apk add tzdata"


class UnknownZone(ValueError):
    """No zone of that name is known here. The message says how many are."""


def find_zone(name: str) -> tzinfo:
    """The zone of that name. Raises UnknownZone."""
    if name in UTC_NAMES:
        # WHY not ZoneInfo: on a host without tzdata even ZoneInfo("UTC") fails.
        return UTC
    if name not in known_zones():
        raise UnknownZone(_why_unknown(name))
    try:
        return zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError) as fault:
        raise UnknownZone(f"the tzdata of this host can't be read for {name!r}: {fault}") from None


@functools.lru_cache(maxsize=1)
def known_zones() -> frozenset[str]:
    """The names that zoneinfo finds on this host; it takes tens of milliseconds once."""
    return frozenset(zoneinfo.available_timezones()) - _NO_ZONES


def tzdata_warning() -> str | None:
    """A sentence for the log and for the doctor of a host without tzdata; None where zones are known.

    WHY one zone is tried: to ask for the names of all takes tens of milliseconds of every start."""
    try:
        zoneinfo.ZoneInfo("Europe/London")
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        return f"this host has no tzdata, so that it knows schedules in UTC alone; {INSTALL}"
    return None


def tzdata_text() -> str:
    """How many zones this host knows, and of which tzdata: `597 zones of tzdata 2025b`."""
    return f"{len(known_zones() - UTC_NAMES)} zones of tzdata {_version() or 'of an unknown version'}"


def _version() -> str:
    """`2025b`; "" where nobody says. The host's tzdata comes before PyPI's, as zoneinfo looks for it."""
    for folder in zoneinfo.TZPATH:
        with (
            contextlib.suppress(OSError),
            (Path(folder) / "tzdata.zi").open(encoding="ascii", errors="replace") as file,
        ):
            return file.readline().removeprefix("# version ").strip()
    with contextlib.suppress(PackageNotFoundError):
        return version("tzdata")
    return ""


def read_anew() -> str | None:
    """Have the next `find_zone` read the host's tzdata again. Returns the `tzdata_warning` of what the host has now."""
    known_zones.cache_clear()
    zoneinfo.ZoneInfo.clear_cache()
    return tzdata_warning()


def _why_unknown(name: str) -> str:
    """The sentence for a name that is no zone here: `Berlin` gets one that asks whether Europe/Berlin is meant."""
    if _OFFSET.fullmatch(name):
        return (
            f'{name!r} is an offset and no zone; write the zone of a place, such as "Europe/Berlin", or leave timezone'
            " out and give the cron in UTC"
        )
    count = len(known_zones() - UTC_NAMES)
    if not count:
        return f"no zone but UTC is known on this host, because it has no tzdata; {INSTALL}"
    hint = f" (do you mean {close!r}?)" if (close := _closest(name)) else ', such as "Europe/Berlin"'
    return f"no zone {name[:_LONGEST_SHOWN]!r} is known on this host; zoneinfo finds {count}{hint}"


def _closest(name: str) -> str | None:
    """The zone that somebody means who writes `utc`, `berlin` or `New York`: UTC, Europe/Berlin, America/New_York."""
    wanted = name.strip().replace(" ", "_").lower()
    zones = sorted(known_zones() | UTC_NAMES)
    same = [zone for zone in zones if zone.lower() == wanted]
    ends = [zone for zone in zones if zone.lower().endswith(f"/{wanted}")]
    return next(iter(same + ends), None)
