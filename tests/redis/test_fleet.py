"""Which programs use a Redis, of which versions, and what the gate makes of it."""

import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from lib import __version__
from lib.errors import RedisKeysBroken, UpgradeNeeded
from lib.logs.log import open_logs
from lib.queue.bulkheads import Bulkheads
from lib.queue.fleet import FRESH_S, Fleet, Program, UpgradeGate, VersionCount, mixed_warning, versions_of
from lib.queue.runners import Vitals
from lib.work.supervisor.beats import Beats
from lib.work.supervisor.roster import Roster
from tests.redis.case import RedisCase

SERVER = Program("server", "0.2.0", "web1.1.aaaaaaaa")
SUPERVISOR = Program("supervisor", "0.3.0", "jobs1.2.bbbbbbbb")
RUNNER = Program("runner", "0.3.0", "jobs1.3.cccccccc")
OLD = "jobs2.9.dddddddd"
LEASE_S = 30.0


class Members(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.fleet = Fleet(self.link, self.keys)

    async def test_programs_count_until_their_lease_is_over(self) -> None:
        await self.fleet.show([SERVER], LEASE_S)
        await self.fleet.show([SUPERVISOR], LEASE_S)
        self.client.zadd("wb:fleet", {"server 0.2.0 web2.1.aaaaaaaa": 1})

        self.assertEqual([SERVER, SUPERVISOR], await self.fleet.programs())

    async def test_a_runner_counts_while_it_is_among_the_living(self) -> None:
        await self.fleet.show([RUNNER], LEASE_S)
        before = await self.fleet.programs()

        await self.queues.runners.show([RUNNER.program_id], LEASE_S)

        self.assertEqual(([], [RUNNER]), (before, await self.fleet.programs()))

    async def test_who_was_not_heard_of_is_forgotten_by_who_shows_itself_next(self) -> None:
        self.client.zadd("wb:fleet", {RUNNER.text: 1})

        await self.fleet.show([SERVER], LEASE_S)

        self.assertEqual([SERVER.text.encode()], self.client.zrange("wb:fleet", 0, -1))

    async def test_who_ends_counts_no_more(self) -> None:
        await self.fleet.show([SUPERVISOR, SERVER], LEASE_S)

        await self.fleet.hide([SUPERVISOR, SERVER])

        self.assertEqual([], await self.fleet.programs())

    async def test_a_runner_that_lives_and_is_not_in_the_fleet_is_of_an_older_version(self) -> None:
        await self.fleet.show([SUPERVISOR, RUNNER], LEASE_S)

        await self.queues.runners.show([RUNNER.program_id, OLD], LEASE_S)

        self.assertEqual([Program("runner", "", OLD), RUNNER, SUPERVISOR], await self.fleet.programs())

    async def test_what_somebody_wrote_there_by_hand_is_passed_over(self) -> None:
        self.client.zadd("wb:fleet", {"hello": 10**14, "\xff\xfe a b c": 10**14, SERVER.text: 10**14})

        self.assertEqual([SERVER], await self.fleet.programs())

    async def test_a_key_that_is_no_sorted_set_is_said(self) -> None:
        self.client.set("wb:fleet", "x")

        with self.assertRaises(RedisKeysBroken):
            await self.fleet.programs()
        self.client.delete("wb:fleet")


class Gate(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.now_s = 0.0
        self.fleet = Fleet(self.link, self.keys)
        self.gate = UpgradeGate(self.fleet, lambda: self.now_s)

    async def test_it_is_open_where_nobody_is_older(self) -> None:
        await self.fleet.show([SUPERVISOR, RUNNER, Program("server", "0.10.0", "web1.1.aaaaaaaa")], LEASE_S)

        await self.gate.require("groups", "0.3.0")

    async def test_it_names_who_is_older(self) -> None:
        await self.fleet.show([SERVER, SUPERVISOR, RUNNER], LEASE_S)
        await self.queues.runners.show([RUNNER.program_id, OLD], LEASE_S)

        with self.assertRaises(UpgradeNeeded) as refused:
            await self.gate.require("groups", "0.3.0")

        self.assertIn(
            "groups need Waybill 0.3.0 or newer in every server and worker, and these are older:"
            f" runner {OLD} (before 0.2.0), server {SERVER.program_id} (0.2.0);",
            refused.exception.detail,
        )

    async def test_a_runner_that_registers_under_another_id_is_not_taken_for_an_older_one(self) -> None:
        await self.queues.runners.show_version(["jobs1.815.55dd00aa"], LEASE_S)
        await self.queues.runners.show(["jobs1.815.55dd00aa"], LEASE_S)

        await self.gate.require("groups", __version__)

        self.assertEqual(1, await self.queues.runners.count_alive())

    async def test_of_many_it_names_some(self) -> None:
        await self.fleet.show([Program("server", "0.2.0", f"web{n}.1.aaaaaaaa") for n in range(8)], LEASE_S)

        with self.assertRaises(UpgradeNeeded) as refused:
            await self.gate.require("groups", "0.3.0")

        self.assertIn("web4.1.aaaaaaaa (0.2.0) and 3 more;", refused.exception.detail)

    async def test_the_fleet_is_read_once_a_second(self) -> None:
        await self.gate.require("groups", "0.3.0")
        await self.fleet.show([SERVER], LEASE_S)

        await self.gate.require("groups", "0.3.0")
        self.now_s += FRESH_S
        with self.assertRaises(UpgradeNeeded):
            await self.gate.require("groups", "0.3.0")
        await self.fleet.hide([SERVER])
        with self.assertRaises(UpgradeNeeded):
            await self.gate.require("groups", "0.3.0")
        self.now_s += FRESH_S

        await self.gate.require("groups", "0.3.0")

    async def test_a_version_that_is_none_of_ours_is_older_than_all(self) -> None:
        await self.fleet.show([Program("server", "next", "web1.1.aaaaaaaa")], LEASE_S)

        with self.assertRaises(UpgradeNeeded):
            await self.gate.require("groups", "0.3.0")


class Versions(RedisCase):
    async def test_a_row_a_version_the_oldest_first(self) -> None:
        fleet = [RUNNER, SUPERVISOR, SERVER, RUNNER._replace(version="0.10.0"), RUNNER._replace(version="")]

        self.assertEqual(
            [
                VersionCount("", 0, 0, 1),
                VersionCount("0.2.0", 1, 0, 0),
                VersionCount("0.3.0", 0, 1, 1),
                VersionCount("0.10.0", 0, 0, 1),
            ],
            versions_of(fleet),
        )

    async def test_several_versions_are_told_in_a_sentence_and_one_is_not(self) -> None:
        self.assertIsNone(mixed_warning(versions_of([RUNNER, SUPERVISOR])))
        self.assertIsNone(mixed_warning([]))

        told = mixed_warning(versions_of([RUNNER, SUPERVISOR, SERVER, RUNNER._replace(version="")]))

        assert told is not None
        self.assertEqual("versions_mixed", told.code)
        self.assertIn("(before 0.2.0: 0 servers, 0 supervisors, 1 runners; 0.2.0: 1 servers, 0 super", told.text)


class OfASupervisor(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        log = open_logs(folder / "worker.log", level="INFO", console_format="json", max_bytes=0, backups=1)
        self.addCleanup(log.close)
        self.fleet = Fleet(self.link, self.keys)
        runner = SimpleNamespace(process=SimpleNamespace(returncode=None), runner_ids={"q": RUNNER.program_id})
        told = Vitals(48_234_496, is_draining=False)
        roster = cast(Roster, SimpleNamespace(runners=[runner], vitals=lambda _: told))
        self.beats = Beats(LEASE_S, roster, self.queues, self.fleet, Bulkheads(log))

    async def test_it_shows_itself_and_its_runners_and_at_its_end_itself_no_more(self) -> None:
        await self.beats.beat()
        before = [(program.kind, program.version) for program in await self.fleet.programs()]

        await self.beats.end()

        self.assertEqual([("runner", __version__), ("supervisor", __version__)], before)
        self.assertEqual(["runner"], [program.kind for program in await self.fleet.programs()])

    async def test_a_broken_fleet_costs_no_runner_its_place_among_the_living(self) -> None:
        self.client.set("wb:fleet", "x")

        await self.beats.beat()

        self.assertEqual(1, await self.queues.runners.count_alive())
        self.client.delete("wb:fleet")
