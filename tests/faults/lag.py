"""A replica that lags, with ACK_REPLICAS=1: what it has not got is not accepted. The master dies, and it takes over.

Nothing that was answered 202 is missing there, though no Sentinel chose the moment.
"""

import os
import signal
import time
from collections.abc import Iterator

from tests.faults.load import Load
from tests.faults.row import Row
from tests.faults.site import Site
from tests.private_cluster import HOST, Node, command
from tests.private_redis import wait_until

LAG_S = 2.0


def run(*, is_quick: bool) -> Iterator[Row]:
    lags = 1 if is_quick else 3
    row = Row("a replica lags, and takes over", runs=lags)
    with Site() as outer:
        master = Node(outer.folder, "--repl-diskless-sync-delay", "0")
        replica = Node(outer.folder, "--replicaof", f"{HOST} {master.port}")
        try:
            wait_until(lambda: _is_in_step(master), "the replica follows", within_s=30)
            with Site(url=f"redis://{HOST}:{master.port}", client=master.client) as site:
                _suffer(site, row, master, replica, lags)
        finally:
            replica.process.send_signal(signal.SIGCONT)
            replica.close()
            master.close()
    yield row


def _suffer(site: Site, row: Row, master: Node, replica: Node, lags: int) -> None:
    url = site.server(ACK_REPLICAS=1).url
    with Load(lambda: url, lambda: site.body("work"), per_s=200) as load:
        for _ in range(lags):
            done = len(load.accepted)
            site.until(lambda: len(load.accepted) > done + 100, "load")  # noqa: B023
            _lag(site, row, load, replica)
    master.process.kill()
    master.process.wait()
    command(replica.client, "REPLICAOF", "NO", "ONE")
    site.look_into(replica.client)
    site.accepted += load.accepted
    site.judge(row, expected="ready")
    odd = {answer for answer in load.answers if answer not in ("202", "503")}
    row.demand(not odd, f"the API answered {dict(load.answers)}")
    row.demand(load.answers["503"], "nothing was refused while the replica lagged")
    row.demand(load.slowest_s.get("503", 0.0) < 2.0, f"a POST was answered 503 after {load.slowest_s.get('503')} s")
    row.note = f"{len(site.accepted)} jobs, {load.answers['503']} x 503"


def _lag(site: Site, row: Row, load: Load, replica: Node) -> None:
    os.kill(replica.process.pid, signal.SIGSTOP)
    # What it had on its way to it may still be acknowledged; after that nothing is.
    time.sleep(0.2)
    done = len(load.accepted)
    time.sleep(LAG_S)
    row.demand(len(load.accepted) == done, f"{len(load.accepted) - done} were accepted while no replica had them")
    went_on_s = time.monotonic()
    os.kill(replica.process.pid, signal.SIGCONT)
    site.until(lambda: load.accepted_at_s[-1] > went_on_s, "a POST is accepted")
    row.recover_s.append(time.monotonic() - went_on_s)


def _is_in_step(master: Node) -> bool:
    info = master.client.info("replication")
    return bool(info["connected_slaves"] == 1 and info["slave0"]["state"] == "online")
