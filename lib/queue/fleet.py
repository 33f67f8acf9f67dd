"""Which programs of Waybill use one Redis, and of which version each is: servers, supervisors and their runners.

The ZSET `wb:fleet` has a member of three words for each, and as its score the ms of Redis' clock until which it counts:

    server 0.2.0 web1.4711.9f3a01c2             1795438188123
    supervisor 0.2.0 jobs1.812.77aa01f0         1795438187990
    runner 0.2.0 jobs1.815.03bb12cc             1795438187990

A server shows itself, and a supervisor shows itself and its runners, five times a lease; a runner shows itself when it
registers, and while its supervisor is dead. Which runners live is said by `wb:runners`, as in every version; their
members here only say the version. So a runner that lives and has no member here is older than 0.2.0. A server or an
idle supervisor older than 0.2.0 cannot be seen.
"""

import asyncio
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from lib import __version__
from lib.errors import UpgradeNeeded
from lib.ids import new_runner_id
from lib.queue.keys import RedisKeys
from lib.redis_link import redis_info
from lib.redis_link.link import RedisLink
from lib.warning_codes import HealthWarning

BEFORE_FLEETS = ""
"""The version of a runner that is not in `wb:fleet`: some version before 0.2.0."""
FRESH_S = 1.0
MOST_NAMED = 5
MORE_S = 1.0
"""A member counts this much longer than its runner does in `wb:runners`, or a runner whose host died would be taken
for an older one in the last moment of its lease."""


class Program(NamedTuple):
    """kind: 'server', 'supervisor' or 'runner'. program_id: `<host>.<pid>.<8 hex>`, as a runner's id is."""

    kind: str
    version: str
    program_id: str

    @property
    def text(self) -> str:
        """The member of `wb:fleet`: `server 0.2.0 web1.4711.9f3a01c2`."""
        return " ".join(self)

    @property
    def named(self) -> str:
        """As it is told to people: `runner jobs1.815.03bb12cc (before 0.2.0)`."""
        return f"{self.kind} {self.program_id} ({version_text(self.version)})"

    def knows(self, since: str) -> bool:
        """Whether the program is of this version or a newer one."""
        return _order(self.version) >= _order(since)


def this_program(kind: str) -> Program:
    """This process, under a new id."""
    return Program(kind, __version__, new_runner_id(socket.gethostname(), os.getpid()))


class Fleet:
    """Writes the programs of one process into Redis, and reads those of all processes."""

    def __init__(self, link: RedisLink, keys: RedisKeys) -> None:
        self._link = link
        self._keys = keys

    async def show(self, programs: Iterable[Program], lease_s: float) -> None:
        """Have these count for `lease_s`. Raises RedisUnavailable, and RedisKeysBroken for another type of key."""
        now_ms = await redis_info.now_ms(self._link)
        entries = [item for program in programs for item in (now_ms + round((lease_s + MORE_S) * 1000), program.text)]
        await self._link.call("ZADD", self._keys.fleet, *entries)
        await self._link.call("ZREMRANGEBYSCORE", self._keys.fleet, "-inf", now_ms)

    async def hide(self, programs: Iterable[Program]) -> None:
        """Take these programs out of the fleet, because they are about to end. Raises what `show` raises."""
        await self._link.call("ZREM", self._keys.fleet, *(program.text for program in programs))

    async def programs(self) -> list[Program]:
        """Every program that counts now, sorted. Raises what `show` raises."""
        now_ms = await redis_info.now_ms(self._link)
        # The runners first: a new runner shows itself in `wb:fleet` before it does in `wb:runners`.
        runners, members = await asyncio.gather(
            self._link.call("ZRANGEBYSCORE", self._keys.runners, now_ms, "+inf"),
            self._link.call("ZRANGEBYSCORE", self._keys.fleet, now_ms, "+inf"),
        )
        found = [Program(*words) for member in members if len(words := _text(member).split(" ")) == 3]
        versions = {program.program_id: program.version for program in found if program.kind == "runner"}
        alive = (Program("runner", versions.get(name, BEFORE_FLEETS), name) for name in map(_text, runners))
        return sorted((*(program for program in found if program.kind != "runner"), *alive))


class UpgradeGate:
    """Refuses a feature while a program that does not know it uses the same Redis.

    A job with a group, for example, would be handed out beyond the group's limit by a runner that knows no groups.
    """

    def __init__(self, fleet: Fleet, clock: Callable[[], float] = time.monotonic) -> None:
        self._fleet = fleet
        self._clock = clock
        self._programs: Sequence[Program] = ()
        self._read_s = -FRESH_S
        self._reading: asyncio.Task[None] | None = None

    async def require(self, feature: str, since: str) -> None:
        """feature: what is asked for, in the plural (`groups`); since: the first version that knows it (`0.3.0`).

        Raises UpgradeNeeded with who is older, and what Fleet.programs raises. The fleet is read once a second at most.
        """
        if not self._is_fresh:
            # One reading for all who ask meanwhile. WHY the shield: one of them may be cancelled.
            self._reading = self._reading or asyncio.ensure_future(self._read())
            await asyncio.shield(self._reading)
        if older := self._older(since):
            more = f" and {len(older) - MOST_NAMED} more" if len(older) > MOST_NAMED else ""
            names = ", ".join(program.named for program in older[:MOST_NAMED])
            raise UpgradeNeeded(
                f"{feature} need Waybill {since} or newer in every server and worker, and these are older: "
                f"{names}{more}; upgrade those, and send the request again"
            )

    def is_open(self, since: str) -> bool:
        """Whether it is known, without asking Redis, that `require` would raise nothing."""
        return self._is_fresh and not self._older(since)

    @property
    def _is_fresh(self) -> bool:
        return self._clock() - self._read_s < FRESH_S

    async def _read(self) -> None:
        read_s = self._clock()
        try:
            self._programs = await self._fleet.programs()
            self._read_s = read_s
        finally:
            self._reading = None

    def _older(self, since: str) -> list[Program]:
        return [program for program in self._programs if not program.knows(since)]


class VersionCount(NamedTuple):
    """How many programs of one version there are."""

    version: str
    servers: int
    supervisors: int
    runners: int


def versions_of(programs: Iterable[Program]) -> list[VersionCount]:
    """One row a version, the oldest first."""
    counts: dict[str, Counter[str]] = {}
    for program in programs:
        counts.setdefault(program.version, Counter())[program.kind] += 1
    return [
        VersionCount(version, kinds["server"], kinds["supervisor"], kinds["runner"])
        for version, kinds in sorted(counts.items(), key=lambda item: _order(item[0]))
    ]


def mixed_warning(versions: Sequence[VersionCount]) -> HealthWarning | None:
    """What /api/health and the doctor tell where programs of several versions run; None where all are of one."""
    if len(versions) < 2:
        return None
    counts = "; ".join(
        f"{version_text(row.version)}: {row.servers} servers, {row.supervisors} supervisors, {row.runners} runners"
        for row in versions
    )
    return HealthWarning(
        "versions_mixed",
        f"several versions of Waybill use this Redis ({counts}): what the oldest does not know is refused with"
        " upgrade-needed until all are of one version",
    )


def version_text(version: str) -> str:
    """`0.2.0`; of a program that shows no version, `before 0.2.0`."""
    return version or "before 0.2.0"


def _order(version: str) -> tuple[int, ...]:
    """`0.10.1` -> (0, 10, 1). What is no version of ours comes before all that are."""
    parts = version.split(".")
    return tuple(map(int, parts)) if all(part.isascii() and part.isdigit() for part in parts) else ()


def _text(member: bytes) -> str:
    return member.decode("utf-8", "replace")
