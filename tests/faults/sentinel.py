"""Sentinel: a master, two replicas and three sentinels; the master is killed, or stopped and let go on (split brain).

Nothing that was answered 202 may be lost, whoever is master then: with ACK_REPLICAS=1 where a master dies, with as many
as there are replicas where a master is only cut off. Until Sentinel has told the other replica of the new master, that
one goes on to confirm what the old one takes in, and throws it away when it is told.
"""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import redis

from tests.faults.load import Load
from tests.faults.row import Row
from tests.faults.site import Site
from tests.private_cluster import HOST, Node, command, free_port
from tests.private_redis import server_program, wait_until

DOWN_MS = 1000
NAME = "waybill"


class Fleet:
    """with Fleet() as fleet: fleet.url"""

    def __enter__(self) -> "Fleet":
        with contextlib.ExitStack() as self._stack:
            self._begin()
            self._stack = self._stack.pop_all()
        return self

    def _begin(self) -> None:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="wb-sentinel-")))
        options = ["--appendonly", "yes", "--min-replicas-to-write", "1", "--min-replicas-max-lag", "10"]
        options += ["--repl-diskless-sync-delay", "0", "--repl-timeout", "5", "--repl-ping-replica-period", "1"]
        self.nodes = [self._node(folder, *options)]
        for _ in range(2):
            self.nodes.append(self._node(folder, *options, "--replicaof", f"{HOST} {self.nodes[0].port}"))
        wait_until(lambda: self._replicas(self.nodes[0]) == 2, "two replicas")
        self.sentinels = [self._sentinel(folder) for _ in range(3)]
        wait_until(self._is_watched, "the sentinels know each other", within_s=30)
        self.url = f"redis+sentinel://{','.join(f'{HOST}:{port}' for port in self.sentinels)}/{NAME}"

    def __exit__(self, *fault: object) -> None:
        self._stack.close()

    @property
    def master(self) -> Node:
        """The one that the first sentinel names."""
        with redis.Redis(HOST, self.sentinels[0]) as client:
            _, port = command(client, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
        return next(node for node in self.nodes if node.port == int(port))

    def until_whole(self) -> None:
        """A master with two replicas that follow it."""
        wait_until(lambda: self._replicas(self.master) == 2, "a master with two replicas", within_s=60, every_s=0.1)
        wait_until(self._is_watched, "the sentinels see all of it", within_s=60, every_s=0.1)

    def _node(self, folder: Path, *options: str) -> Node:
        node = Node(folder, *options)
        self._stack.callback(node.close)
        return node

    def _sentinel(self, folder: Path) -> int:
        port = free_port()
        file = folder / f"sentinel-{port}.conf"
        file.write_text(
            f"bind {HOST}\nport {port}\ndir {folder}\n"
            f"sentinel monitor {NAME} {HOST} {self.nodes[0].port} 2\n"
            f"sentinel down-after-milliseconds {NAME} {DOWN_MS}\n"
            f"sentinel failover-timeout {NAME} 6000\nsentinel parallel-syncs {NAME} 2\n"
        )
        with (folder / f"sentinel-{port}.log").open("ab") as log:
            process = subprocess.Popen(
                [server_program(), str(file), "--sentinel"], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return port

    @staticmethod
    def _replicas(node: Node) -> int:
        try:
            info = node.client.info("replication")
        except redis.RedisError:
            return 0
        online = [
            key
            for key in info
            if key.startswith("slave") and isinstance(info[key], dict) and info[key]["state"] == "online"
        ]
        return len(online) if info["role"] == "master" else 0

    def _is_watched(self) -> bool:
        for port in self.sentinels:
            with contextlib.suppress(redis.RedisError, OSError), redis.Redis(HOST, port) as client:
                flat = command(client, "SENTINEL", "MASTER", NAME)
                known = flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2], strict=True))
                text = {_text(key): _text(value) for key, value in known.items()}
                if (text["num-other-sentinels"], text["num-slaves"], text["flags"]) == ("2", "2", "master"):
                    continue
            return False
        return True


def _text(raw: object) -> str:
    return raw.decode() if isinstance(raw, bytes) else str(raw)


def run(*, is_quick: bool) -> Iterator[Row]:
    count = 1 if is_quick else 5
    for title, is_killed, acks in (("Sentinel: master killed", True, 1), ("Sentinel: split brain", False, 2)):
        row = Row(f"{title}, ACK_REPLICAS={acks}", runs=count)
        with Fleet() as fleet, Site(url=fleet.url, client=fleet.master.client) as site:
            _suffer(site, fleet, row, count, is_killed=is_killed, acks=acks)
        yield row


def _suffer(site: Site, fleet: Fleet, row: Row, count: int, *, is_killed: bool, acks: int) -> None:
    url = site.server(ACK_REPLICAS=acks).url
    worker = site.worker(WORKER_PROCESSES=2, LEASE_S=15, ACK_REPLICAS=acks)
    with Load(lambda: url, lambda: site.body("work", seconds=site.rng.uniform(0, 0.05)), per_s=100) as load:
        for _ in range(count):
            done = len(load.accepted)
            site.until(lambda: len(load.accepted) > done + 150, "load", 60)  # noqa: B023
            _fail_over(site, fleet, row, load, is_killed=is_killed)
            fleet.until_whole()
    site.accepted += load.accepted
    site.look_into(fleet.master.client)
    site.until_completed(site.accepted)
    # A failover may take back what a runner was told; what is asked for is that nothing accepted is lost.
    site.judge(row, twice_allowed=True)
    row.demand(not worker.logged("worker.reaped"), "somebody was reaped")
    row.demand(not worker.logged("consumer.failed"), "a consumer fell over")
    odd = {answer for answer in load.answers if answer not in ("202", "503")}
    row.demand(not odd, f"the API answered {dict(load.answers)}")
    row.note = f"{len(site.accepted)} jobs, {load.answers['503']} x 503"


def _fail_over(site: Site, fleet: Fleet, row: Row, load: Load, *, is_killed: bool) -> None:
    old = fleet.master
    began_s = time.monotonic()
    if is_killed:
        old.process.kill()
        old.process.wait()
    else:
        os.kill(old.process.pid, signal.SIGSTOP)
    wait_until(lambda: fleet.master is not old, "another master", within_s=60, every_s=0.05)
    if is_killed:
        site.until(lambda: load.accepted_at_s[-1] > began_s + 0.5, "a POST is accepted", 60)
        old.start()
    else:
        # Its clients come back to it as long as it takes itself for the master.
        os.kill(old.process.pid, signal.SIGCONT)
        site.until(lambda: load.accepted_at_s[-1] > began_s + 2 * DOWN_MS / 1000, "a POST is accepted", 60)
    row.recover_s.append(next(at_s for at_s in load.accepted_at_s if at_s > began_s + 0.5) - began_s)
