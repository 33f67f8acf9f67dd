"""What Redis itself can do with Waybill's scripts, driven by programs that do next to nothing: a Redis' ceiling.

1. enqueue: redis-benchmark, commits of as many jobs as the server's were just before (posts.py).
2. claim and finish: a driver that encodes every command before the clock runs, and sends the next ones while Redis is
   at work, as many jobs at once as the runner took just before (work.py). It knows the ids (the list tells them) and
   the tokens (a job's first claim gives 1).

The same append-only file as everywhere. redis-benchmark's clients and the driver wait less than Redis works, so its
one thread is what is measured; `redis_core` says how nearly. Waybill can't be faster on this machine: beside its own
processes, which share the caches with Redis, a job costs Redis some more (`work.redis_us_c100`).
"""

import itertools
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from time import perf_counter

from lib.queue.end_record import complete_record
from lib.queue.scripts import text_of
from lib.redis_link.resp import encoded
from tests.bench.figure import Figure
from tests.bench.fill import fill
from tests.bench.spent import Spent, completed
from tests.private_redis import PrivateRedis

ENQUEUED = 400_000
CLAIMED = 80_000
IN_FLIGHT = 4  # pairs of claim and finish that Redis has before it
EMAILS = "wb:{email}:"
BASE = "wb:{default}:"
# redis-benchmark puts twelve digits in the place of each, below 2,000,000,000. WHY two: of 12,500 processes whose names
# are such numbers, two have the same one in one run of 25.
RANDOM = "__rand_int__" * 2
OPTIONS = ("-c", "4", "-r", "2000000000", "--csv")
LIMIT_S = 120.0


def enqueue(*, in_a_commit: int, is_quick: bool) -> Iterator[Figure]:
    """The e-mails that posts.py posts. No figures where redis-benchmark is not installed."""
    program = shutil.which("redis-benchmark") or shutil.which("valkey-benchmark")
    if program is None:
        return
    commits = ENQUEUED // (10 if is_quick else 1) // in_a_commit
    with PrivateRedis(aof="everysec") as redis:
        command = [program, "-s", str(redis.path), "-n", str(commits), *OPTIONS, *_commit(redis, in_a_commit)]
        spent = Spent(redis)
        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=LIMIT_S).stdout
        used_us, core_percent = spent.cpu_us, spent.core_percent
        count = redis.client.llen(f"{EMAILS}ready:normal") - 1
    if count < commits * in_a_commit:
        sys.exit(f"redis-benchmark enqueued {count} jobs, not {commits * in_a_commit}")
    # The test's name comes first and holds the whole command: the seven figures are counted from the end.
    commits_per_s = float(said.strip().rsplit('","', 7)[1])
    yield Figure("ceiling.enqueue", commits_per_s * in_a_commit, "jobs/s")
    yield Figure("ceiling.enqueue_us", used_us / count, "µs per job")
    yield Figure("ceiling.enqueue_redis_core", core_percent, "% of a core")


def _commit(redis: PrivateRedis, jobs: int) -> list[str]:
    """Each is of another process, so that none is taken for one that was answered before."""
    fill(redis, 1, type_name="email")
    (job_id,) = redis.client.lrange(f"{EMAILS}ready:normal", 0, -1)
    spec = redis.client.hget(f"{EMAILS}job:{job_id.decode()}", "spec").decode()
    record = f"email-01900000{RANDOM}\x1fnormal\x1f\x1f{spec}\x1e"
    return ["EVALSHA", _load(redis, "enqueue"), "1", EMAILS, RANDOM, "1", record * jobs]


def claim_and_finish(*, in_a_claim: int, is_quick: bool) -> Iterator[Figure]:
    jobs = CLAIMED // (10 if is_quick else 1)
    with PrivateRedis(aof="everysec") as redis, closing(socket.socket(socket.AF_UNIX)) as link:
        fill(redis, jobs)
        pairs = _pairs(redis, jobs, in_a_claim)
        link.settimeout(LIMIT_S)
        link.connect(str(redis.path))
        spent, began_s = Spent(redis), perf_counter()
        _converse(link, pairs)
        took_s, used_us, core_percent = perf_counter() - began_s, spent.cpu_us, spent.core_percent
        done = completed(redis)
    if done != jobs:
        sys.exit(f"{done} of {jobs} jobs were finished")
    yield Figure("ceiling.claim_finish", jobs / took_s, "jobs/s")
    yield Figure("ceiling.claim_finish_us", used_us / jobs, "µs per job")
    yield Figure("ceiling.claim_finish_redis_core", core_percent, "% of a core")


def _pairs(redis: PrivateRedis, jobs: int, in_a_claim: int) -> list[bytes]:
    """For each bite of the queue, a claim and the finish of what it will give, as Redis reads them."""
    redis.client.evalsha(_load(redis, "register"), 1, BASE, "w", "{}")
    claim = encoded(("EVALSHA", _load(redis, "claim"), 1, BASE, "w", in_a_claim, "ready"))
    finish = _load(redis, "finish")
    ids = [job_id.decode() for job_id in reversed(redis.client.lrange(f"{BASE}ready:normal", 0, -1))]
    found = []
    for at in range(0, jobs, in_a_claim):
        ended = [complete_record(job_id, 1, "noop", "") for job_id in ids[at : at + in_a_claim]]
        records = "".join(f"{one.job_id}\x1f{one.token}{one.rest}\x1e" for one in ended)
        found.append(claim + encoded(("EVALSHA", finish, 1, BASE, "w", records)))
    return found


def _converse(link: socket.socket, pairs: list[bytes]) -> None:
    """Send all, a few ahead of the replies; a reply is a bulk string or an array of them."""
    replies = link.makefile("rb")
    link.sendall(b"".join(pairs[:IN_FLIGHT]))
    for pair in itertools.chain(pairs[IN_FLIGHT:], itertools.repeat(b"", IN_FLIGHT)):
        for _ in range(2):
            head = replies.readline()
            items = int(head[1:]) if head.startswith(b"*") else 0
            strings = (replies.readline() for _ in range(items)) if items else [head]
            for string in strings:
                if not string.startswith(b"$"):
                    sys.exit(f"Redis answered {head!r}")
                replies.read(int(string[1:]) + 2)
        link.sendall(pair)


def _load(redis: PrivateRedis, name: str) -> str:
    """The hash under which Redis knows the script from now on."""
    return str(redis.client.script_load(text_of(name)))
