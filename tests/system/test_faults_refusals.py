"""What Redis refuses is known for what it is, in redis-py's words as in Redis' own, and a replica's word is a word."""

import asyncio
import signal
import unittest
from typing import Any

import redis
from redis._parsers.base import BaseParser

from lib.errors import RedisUnavailable
from lib.queue.keys import RedisKeys
from lib.queue.queue_store import QueueStore
from lib.queue.upkeep_steps import Retention
from lib.redis_link.link import open_link
from lib.redis_link.redis_wire import MissingScript, Moved, fault_of_reply, translated
from tests.faults.site import Site
from tests.private_cluster import HOST, Node, command, free_port
from tests.private_redis import wait_until
from tests.proxy import CUT_REPLY, PASS, Proxy, Request, Verdict

REFUSALS = (
    "ASK 12 127.0.0.1:7001",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "CLUSTERDOWN Hash slot not served",
    "LOADING Redis is loading the dataset in memory",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "MISCONF Errors writing to the AOF file: No space left on device",
    "NOAUTH Authentication required.",
    "NOPERM User waybill has no permissions to run the 'get' command",
    "NOREPLICAS Not enough good replicas to write.",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "ERR user_script:3: OOM command not allowed when used memory > 'maxmemory'. script: 1, on @user_script:3.",
    "READONLY You can't write against a read only replica.",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
    "WRONGPASS invalid username-password pair or user is disabled.",
)


def raised_for(line: str) -> BaseException:
    """What redis-py makes of an error reply."""
    fault: Any = BaseParser.parse_error(line)  # type: ignore[no-untyped-call]
    assert isinstance(fault, BaseException)
    return fault


class Refusals(unittest.TestCase):
    def test_every_refusal_for_now_is_redis_unavailable(self) -> None:
        for line in REFUSALS:
            with self.subTest(line):
                self.assertIs(RedisUnavailable, type(translated(raised_for(line), was_sent=True)))
                self.assertIs(RedisUnavailable, type(fault_of_reply(line)))
                self.assertEqual(str(translated(raised_for(line), was_sent=True)), str(fault_of_reply(line)))

    def test_a_slot_that_has_moved_names_its_node(self) -> None:
        moved = fault_of_reply("MOVED 12 127.0.0.1:7001")

        assert isinstance(moved, Moved)
        self.assertEqual((12, ("127.0.0.1", 7001)), (moved.slot, moved.node))

    def test_a_script_that_is_missing_is_no_failure(self) -> None:
        self.assertIsInstance(fault_of_reply("NOSCRIPT No matching script."), MissingScript)

    def test_what_is_a_bug_of_ours_stays_what_it_is(self) -> None:
        fault = raised_for("WRONGTYPE Operation against a key holding the wrong kind of value")

        self.assertIs(fault, translated(fault, was_sent=False))
        self.assertEqual((type(fault), str(fault)), (type(again := fault_of_reply(str(fault))), str(again)))
        self.assertEqual("no such key", str(fault_of_reply("ERR no such key")))


class Full(unittest.TestCase):
    def test_at_maxmemory_posts_are_refused_and_the_workers_drain(self) -> None:
        with Site() as site:
            server, worker = site.server(), site.worker(WORKER_QUEUES="default=2")
            site.put(40, "work", seconds=0.05)

            memory: Any = site.client.info("memory")
            site.client.config_set("maxmemory", memory["used_memory"] - 100_000)
            status, problem, headers = server.request("POST", "/api/jobs", site.body("work"))
            site.until_completed(site.accepted, 20)
            # The runner pops again, which is refused as well.
            again = server.request("POST", "/api/jobs", site.body("work"))[0]
            site.client.config_set("maxmemory", 0)

            self.assertEqual((503, "/problems/redis-unavailable"), (status, problem["type"]))
            self.assertIn("retry-after", headers)
            self.assertEqual(503, again)
            site.accepted += [server.request("POST", "/api/jobs", site.body("work"))[1]["id"]]
            site.until_completed(site.accepted, 20)
            self.assertEqual({"completed"}, {record["state"] for record in site.records(site.accepted).values()})
            self.assertEqual([], worker.logged("consumer.failed"))


class ReadOnly(unittest.TestCase):
    def test_where_nobody_can_beat_nobody_looks_for_the_dead(self) -> None:
        """A survey that came through would show beats that stand still; the first reap that does takes the living."""
        with Site() as site:
            command(site.client, "REPLICAOF", HOST, 1)

            async def look() -> None:
                link = open_link(site.url, timeout_s=5)
                queues = QueueStore(link, RedisKeys("wb"))
                try:
                    for ask in (queues.runners.beat("q", ["w"]), queues.upkeep.survey("q", Retention(1, 1, 1))):
                        with self.assertRaises(RedisUnavailable):
                            await ask
                finally:
                    await link.close()

            asyncio.run(look())


class Replicas(unittest.TestCase):
    """A server that answers a POST once a replica has the job (ACK_REPLICAS=1), and a proxy before its Redis."""

    def setUp(self) -> None:
        port = free_port()
        options = ("--port", str(port), "--bind", HOST, "--repl-diskless-sync-delay", "0")
        self.site = self.enterContext(Site(options=options))
        self.replica = Node(self.site.folder, "--replicaof", f"{HOST} {port}")
        self.addCleanup(self.replica.close)
        wait_until(lambda: self.is_in_step(self.site.client), "the replica follows")
        self.proxy = self.enterContext(Proxy(self.site.url))
        self.server = self.site.server(url=self.proxy.url, ACK_REPLICAS=1)
        # On a busy machine the replica's first word may take longer than a POST waits.
        wait_until(lambda: self.posted()[0] == 202, "a job is accepted")

    def posted(self) -> tuple[int, str | None]:
        """Post a job. Returns the status, and the type of the problem."""
        status, answer, _ = self.server.request("POST", "/api/jobs", self.site.body("work"))
        return status, answer.get("type")

    def test_a_commit_that_was_sent_again_waits_for_the_replicas_too(self) -> None:
        self.replica.process.send_signal(signal.SIGSTOP)
        lost: list[bytes] = []

        def judge(request: Request) -> Verdict:
            if request.words[0] not in (b"EVALSHA", b"EVAL") or lost:
                return PASS
            lost.append(request.words[0])
            return CUT_REPLY

        self.proxy.judge = judge

        self.assertEqual((503, "/problems/not-replicated"), self.posted())

    def test_replicas_of_a_server_that_does_not_have_the_commit_do_not_count(self) -> None:
        def judge(request: Request) -> Verdict:
            if request.words[0] in (b"EXPIRE", b"WAIT"):
                # As after a failover between the commit and this command: the new master never had the commit.
                for key in self.site.client.scan_iter("*:commit:*"):
                    self.site.client.delete(key)
            return PASS

        self.proxy.judge = judge

        self.assertEqual((503, "/problems/outcome-unknown"), self.posted())

    @staticmethod
    def is_in_step(client: redis.Redis) -> bool:
        info: Any = client.info("replication")
        return bool(info["connected_slaves"] == 1 and info["slave0"]["state"] == "online")


if __name__ == "__main__":
    unittest.main()
