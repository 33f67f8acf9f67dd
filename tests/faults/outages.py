"""Redis away, frozen, loading, full, busy, locked, emptied, under load; each for three leases.

Nobody is reaped, nothing runs twice, what handlers returned meanwhile is told when Redis is back; the API answers 503
with Retry-After within 2 s, however many ask at once, and says by /livez and /readyz what is the matter.
"""

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Iterator

import redis

from tests.faults.load import Load
from tests.faults.row import Row
from tests.faults.site import Site
from tests.faults.suffering import LEASE_S, Outage, suffer
from tests.private_cluster import command
from tests.private_redis import PrivateRedis

HOLD_S = 3.0 * LEASE_S


def run(*, is_quick: bool) -> Iterator[Row]:
    hold_s = LEASE_S if is_quick else HOLD_S
    for outage in (_frozen, _killed, _loading, _full, _disk_full, _busy, _locked, _cut, _demoted, _emptied):
        yield outage(hold_s)
    yield _torn()


def _frozen(hold_s: float) -> Row:
    with Site(aof="everysec") as site:
        return suffer(site, hold_s, Outage("Redis SIGSTOPped", site.redis.freeze, site.redis.thaw))


def _killed(hold_s: float) -> Row:
    with Site(aof="always") as site:
        return suffer(site, hold_s, Outage("Redis killed, AOF always", site.redis.kill, site.redis.start))


def _loading(hold_s: float) -> Row:
    """Killed, and then slow to load what it has."""
    keys = 1000
    options = ("--key-load-delay", str(int(hold_s * 1e6 / keys)), "--loading-process-events-interval-bytes", "1024")
    with Site(aof="everysec", options=options) as site:
        for number in range(keys):
            site.client.set(f"other:{number}", "x" * 100)
        site.client.bgrewriteaof()
        site.until(lambda: not site.client.info("persistence")["aof_rewrite_in_progress"], "rewritten")
        starting = threading.Thread(target=site.redis.start)

        def begin() -> None:
            site.redis.kill()
            starting.start()

        return suffer(site, hold_s * 0.8, Outage("Redis LOADING", begin, starting.join))


def _full(hold_s: float) -> Row:
    with Site() as site:

        def begin() -> None:
            site.client.config_set("maxmemory", max(1, site.client.info("memory")["used_memory"] - 100_000))

        def end() -> None:
            site.client.config_set("maxmemory", 0)

        full = Outage("maxmemory, noeviction", begin, end, refuses_reads=False, is_ready=True, drains=True)
        return suffer(site, hold_s, full)


def _disk_full(hold_s: float) -> Row:
    title = "disk full (MISCONF)"
    server = PrivateRedis(aof="everysec")
    folder = server.path.parent
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "wb", folder], check=False).returncode:
        server.close()
        return Row(title, note="not shown: needs root, to mount a small tmpfs")
    try:
        server.start()
        with Site(redis_server=server) as site:
            filler = folder / "filler"

            def begin() -> None:
                with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                    while True:
                        file.write(bytes(4096))

            return suffer(site, hold_s, Outage(title, begin, filler.unlink, refuses_reads=False))
    finally:
        server.kill()
        subprocess.run(["umount", folder], check=True)
        server.close()


def _busy(hold_s: float) -> Row:
    with Site(options=("--busy-reply-threshold", "100")) as site:
        script = f"local n = 0 while true do n = n + 1 end return {time.time_ns()}"

        def spin() -> None:
            with contextlib.suppress(redis.RedisError), redis.Redis(unix_socket_path=str(site.redis.path)) as client:
                client.eval(script, 0)

        spinning = threading.Thread(target=spin, daemon=True)

        def end() -> None:
            site.client.script_kill()
            spinning.join()

        return suffer(site, hold_s, Outage("BUSY script", spinning.start, end))


def _locked(hold_s: float) -> Row:
    """The password is changed and the links are cut; nobody may hammer on the door meanwhile."""
    with Site() as site:
        client = site.client

        def password(word: str) -> None:
            client.acl_setuser("waybill", enabled=True, reset_passwords=True, passwords=[f"+{word}"])

        client.acl_setuser(
            "waybill", enabled=True, passwords=["+one"], keys=["*"], categories=["+@all"], channels=["*"]
        )
        site.url = f"unix://waybill:one@{site.redis.path}"
        before = 0

        def begin() -> None:
            nonlocal before
            password("two")
            command(client, "CLIENT", "KILL", "USER", "waybill")
            before = client.info("stats")["total_connections_received"]

        row = suffer(site, hold_s, Outage("password changed", begin, lambda: password("one")), is_probed=False)
        tries = (client.info("stats")["total_connections_received"] - before) / hold_s
        row.demand(tries < 60, f"{tries:.0f} connections a second while the password was wrong")
        row.note = f"{tries:.0f} connections a second; {row.note}"
        return row


def _cut(hold_s: float) -> Row:
    with Site() as site:
        stop = threading.Event()

        def disturb() -> None:
            with redis.Redis(unix_socket_path=str(site.redis.path)) as client:
                while not stop.is_set():
                    client.client_kill_filter(_type="normal", skipme=True)
                    client.script_flush()
                    time.sleep(0.02)

        disturbing = threading.Thread(target=disturb, daemon=True)

        def end() -> None:
            stop.set()
            disturbing.join()

        cut = Outage(
            "CLIENT KILL and SCRIPT FLUSH, 50 a second",
            disturbing.start,
            end,
            refuses_reads=False,
            refuses_writes=False,
            drains=True,
        )
        return suffer(site, hold_s, cut, is_probed=False)


def _demoted(hold_s: float) -> Row:
    """It becomes a replica (of nobody who answers) under a blocked pop, and a master again."""
    with Site() as site:

        def begin() -> None:
            command(site.client, "REPLICAOF", "127.0.0.1", 1)

        def end() -> None:
            command(site.client, "REPLICAOF", "NO", "ONE")

        demoted = Outage("REPLICAOF under a blocked pop", begin, end, refuses_reads=None, is_ready=True)
        return suffer(site, hold_s, demoted)


def _torn() -> Row:
    """Killed, and the end of its file is missing: what was written last is lost, and what is there is sound."""
    row = Row("AOF with its tail cut, everysec", runs=1)
    with Site(aof="everysec") as site:
        url = site.server().url
        worker = site.worker(WORKER_PROCESSES=2, LEASE_S=LEASE_S)
        with Load(lambda: url, lambda: site.body("work", seconds=site.rng.uniform(0, 0.05)), per_s=80) as load:
            for cut_bytes in (1, 70, 700):
                done = len(load.accepted)
                site.until(lambda: len(load.accepted) > done + 80, "load")  # noqa: B023
                site.redis.kill()
                (file,) = site.redis.path.parent.glob("appendonlydir/*.incr.aof")
                os.truncate(file, file.stat().st_size - cut_bytes)
                began_s = time.monotonic()
                site.redis.start()
                site.until(lambda: load.accepted_at_s[-1] > began_s, "a POST is accepted")  # noqa: B023
                row.recover_s.append(time.monotonic() - began_s)
        kept = site.records()
        site.until_completed(kept)
        site.accepted = list(kept)
        row.lost = len(set(load.accepted) - set(kept))
        row.note = f"{row.lost} of {len(load.accepted)} lost with the tail"
        row.demand(row.lost <= 3 * 5, f"{row.lost} lost, of cuts in which a few commands were")
        row.lost = 0
        site.judge(row, twice_allowed=True)
        row.demand(not worker.logged("consumer.failed"), "a consumer fell over")
    return row


def _emptied(hold_s: float) -> Row:
    """FLUSHALL: what was there is gone; workers go on with what comes then, and say what they saw."""
    row = Row("FLUSHALL", runs=1)
    with Site() as site:
        worker = site.worker(LEASE_S=LEASE_S)
        server = site.server()
        url = server.url
        with Load(lambda: url, lambda: site.body("work", seconds=0.05), per_s=100) as load:
            site.until(lambda: len(load.accepted) > 300, "load")
            site.client.flushall()
            emptied_s = time.monotonic()
            time.sleep(hold_s)
        # What was accepted in the moment of the flush may have gone with it.
        kept = zip(load.accepted, load.accepted_at_s, strict=True)
        site.accepted = [job_id for job_id, at_s in kept if at_s > emptied_s + 0.1]
        site.until_completed(site.accepted)
        site.judge(row)
        runs = [run for run in site.executions() if run.began_ns / 1e9 > emptied_s and run.job_id in set(site.accepted)]
        row.recover_s.append(min(run.began_ns for run in runs) / 1e9 - emptied_s)
        for program in (worker, server):
            row.demand(program.logged("redis.emptied"), f"{program.script} did not say that Redis was emptied")
        row.demand(not worker.logged("worker.reaped"), "the worker was taken for dead")
        warnings = server.request("GET", "/api/health")[1]["warnings"]
        row.demand(any(warning["code"] == "redis_emptied" for warning in warnings), "/api/health does not warn of it")
    return row
