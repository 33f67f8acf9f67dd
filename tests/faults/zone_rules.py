"""Two hosts whose tzdata gives a zone other rules, as when one was upgraded and the other was not: a local slot, 12:05
by the clocks of that zone, fires once.

The zone is Test/Fault, an hour ahead of UTC by one host, and an hour and a minute by the other. Redis' clock is put to
each next slot, as it would take a minute to wait for it. A slot that the second host works out the first puts off by a
minute; so some local slots are left out while the hosts differ, and none fires twice.
"""

import time
from collections import Counter
from typing import Any, NamedTuple

from tests.faults.clocks import Clock, NoCompiler, site_with_clock
from tests.faults.row import Row
from tests.faults.site import Site
from tests.zone_files import write_zone

ZONE = "Test/Fault"
OFFSETS_S = (3600, 3660)
# By the clock's hands: neither minute nor hour begins with `*`.
EACH_MINUTE = "0-59 0-23 * * *"


def row(found: Row, *, slots: int) -> Row:
    """Fill in the row: so many slots are due, one after the other."""
    try:
        with site_with_clock() as (site, clock):
            _pass(site, found, clock, slots)
    except NoCompiler:
        found.note = "not shown: needs a C compiler"
    return found


def _pass(site: Site, found: Row, clock: Clock, slots: int) -> None:
    folders = [write_zone(site.folder / f"tz{offset_s}", ZONE, offset_s) for offset_s in OFFSETS_S]
    server = site.server(PYTHONTZPATH=folders[0])
    workers = [site.worker(PYTHONTZPATH=folder, LOG_LEVEL="INFO", LEASE_S=15) for folder in folders]
    body = {"cron": EACH_MINUTE, "timezone": ZONE, "overlap": "allow", "catch_up": "all", "job": site.body("work")}
    status, answer, _ = server.request("PUT", "/api/schedules/minute", body)
    assert status == 201, answer
    walls = []
    for _ in range(slots):
        before = _seen(site)
        clock.jump(max(0, int(before.slot_ms / 1000 - site.client.time()[0])) + 1)
        moved_s = time.monotonic()
        after = site.until(lambda: now if (now := _seen(site)) != before else None, "the slot is taken", 20)  # noqa: B023
        found.recover_s.append(time.monotonic() - moved_s)
        if after.fired > before.fired:
            walls.append(before.wall)
    server.request("POST", "/api/schedules/minute/pause")
    twice = [wall for wall, count in Counter(walls).items() if count > 1]
    found.runs, found.twice = slots, len(twice)
    found.demand(not twice, f"local slots that fired twice: {twice}")
    found.demand(len(walls) >= slots // 3, f"of {slots} slots {len(walls)} fired")
    by_each, shifted = ([len(one.logged(event)) for one in workers] for event in ("schedule.fired", "schedule.shifted"))
    found.note = f"fired {by_each} and put off {shifted}, by each host"
    raw: Any = site.client.zrange(f"{site.base}all", 0, -1)
    found.demand(len(raw) == sum(by_each), f"{len(raw)} jobs, and {sum(by_each)} times schedule.fired")
    site.accepted = [job_id.decode() for job_id in raw]
    site.until_completed(site.accepted)
    site.judge(found)


class _Seen(NamedTuple):
    """The next slot. wall: what the zone's clocks show then, by the host that worked it out."""

    slot_ms: int
    wall: str
    fired: int


def _seen(site: Site) -> _Seen:
    values: Any = site.client.hmget(f"{site.base}schedule:minute", "slot", "wall", "fired")
    slot, wall, fired = values
    return _Seen(int(slot), wall.decode(), int(fired or 0))
