"""A Redis Cluster of a test's own: three redis-servers on TCP ports of loopback, and a client for the whole of it.

with PrivateCluster() as cluster:
    worker = Worker(cluster.url)
"""

import contextlib
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import redis
from redis.cluster import ClusterNode, RedisCluster
from redis.crc import key_slot

from tests.private_redis import server_program, wait_until

SLOTS = 16384
HOST = "127.0.0.1"


def command(client: redis.Redis, *words: str | int | bytes) -> Any:
    """Send a command for which redis-py has no method, or whose answer it would change."""
    return client.execute_command(*words)  # type: ignore[no-untyped-call]


class Node:
    """One redis-server on a TCP port of loopback."""

    def __init__(self, folder: Path, *options: str, port: int = 0) -> None:
        self.port = port or free_port()
        self.folder = folder / str(self.port)
        self.folder.mkdir(exist_ok=True)
        self._options = options
        self.client = redis.Redis(HOST, self.port)
        self.start()

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    server_program(),
                    "--bind",
                    HOST,
                    "--port",
                    str(self.port),
                    "--dir",
                    str(self.folder),
                    "--save",
                    "",
                    *self._options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers, "the node answers")

    def close(self) -> None:
        self.client.close()
        self.process.kill()
        self.process.wait()

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False


def free_port() -> int:
    """A free port; the port 10,000 above is free as well, for the Cluster's bus."""
    while True:
        with socket.socket() as link, socket.socket() as bus:
            link.bind((HOST, 0))
            port = int(link.getsockname()[1])
            if port < 50000:
                with contextlib.suppress(OSError):
                    bus.bind((HOST, port + 10000))
                    return port


class PrivateCluster:
    """client: an ordinary cluster client. nodes: the three servers."""

    def __init__(self, *options: str) -> None:
        """options: of redis-server, beside the usual ones, as "--appendonly", "yes"."""
        self._options = options

    def __enter__(self) -> "PrivateCluster":
        self.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self.close()

    def start(self) -> None:
        """Returns when every node knows all nodes and slots."""
        with contextlib.ExitStack() as self._stack:
            self._begin()
            self._stack = self._stack.pop_all()

    def close(self) -> None:
        self._stack.close()

    @property
    def clients(self) -> list[Any]:
        """A client for each node."""
        return [node.client for node in self.nodes]

    def _begin(self) -> None:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="wb-cluster-")))
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--appendonly", "no", *self._options)
        self.nodes = [Node(folder, *options) for _ in range(3)]
        for node in self.nodes:
            self._stack.callback(node.close)
        for number, node in enumerate(self.nodes):
            first, last = number * SLOTS // 3, (number + 1) * SLOTS // 3 - 1
            command(node.client, "CLUSTER", "ADDSLOTSRANGE", first, last)
            command(node.client, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes[1:]:
            command(node.client, "CLUSTER", "MEET", HOST, self.nodes[0].port)
        wait_until(lambda: all(self._is_whole(node) for node in self.nodes), "the Cluster is whole")
        self.url = "redis+cluster://" + ",".join(f"{HOST}:{node.port}" for node in self.nodes)
        self.client: Any = RedisCluster(startup_nodes=[ClusterNode(HOST, node.port) for node in self.nodes])  # type: ignore[no-untyped-call]
        self._stack.callback(self.client.close)

    def owner(self, key: str) -> Node:
        """The node that has the slot of `key`."""
        slot = key_slot(key.encode())
        ids = {command(node.client, "CLUSTER", "MYID").decode(): node for node in self.nodes}
        for first, last, (_, _, name, *_), *_rest in command(self.nodes[0].client, "CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return ids[name.decode()]
        raise AssertionError(f"nobody has slot {slot}")

    def move(self, key: str, *, pause_s: float) -> None:
        """Give the slot of `key` to another node, key by key, as `redis-cli --cluster reshard` does."""
        slot, source = key_slot(key.encode()), self.owner(key)
        target = next(node for node in self.nodes if node is not source)
        source_id, target_id = (_id(node) for node in (source, target))
        command(target.client, "CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
        command(source.client, "CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
        while keys := command(source.client, "CLUSTER", "GETKEYSINSLOT", slot, 20):
            command(source.client, "MIGRATE", HOST, target.port, "", 0, 5000, "KEYS", *keys)
            time.sleep(pause_s)
        for node in (target, source, *self.nodes):
            command(node.client, "CLUSTER", "SETSLOT", slot, "NODE", target_id)

    def _is_whole(self, node: Node) -> bool:
        info = str(command(node.client, "CLUSTER", "INFO"))
        return "cluster_state:ok" in info and "cluster_known_nodes:3" in info


def _id(node: Node) -> str:
    return str(command(node.client, "CLUSTER", "MYID").decode())
