"""Delayed jobs: many over a minute, none early and hardly one late; very many at one moment, and no script that holds
Redis for over 10 ms."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.faults.row import Row, percentile
from tests.faults.site import Site
from tests.system.oracle import faults

FIRST_S = 4.0
SLOW_US = 10_000


def run(*, is_quick: bool) -> Iterator[Row]:
    yield _spread(2000, 6.0) if is_quick else _spread(20_000, 60.0)
    yield _at_once(10_000 if is_quick else 100_000)


def _spread(count: int, over_s: float) -> Row:
    row = Row(f"{count:,} delayed over {over_s:g} s: lateness", runs=count)
    with Site() as site:
        site.worker(WORKER_PROCESSES=2, WORKER_QUEUES="default=20")
        site.put_all(site.new("late", {"delay_s": round(FIRST_S + over_s * n / count, 3)}) for n in range(count))
        due: Any = site.client.zrange(f"{site.base}delayed", 0, -1, withscores=True)
        row.demand(len(due) == count, f"{count - len(due)} were due before all were in")
        site.until_completed(site.accepted, FIRST_S + over_s + 30)
        begun = {job_id: int(us) for job_id, us in map(str.split, site.ledger.read_text(encoding="utf-8").splitlines())}
        late_ms = [begun[raw.decode()] / 1000 - due_ms for raw, due_ms in due if raw.decode() in begun]
        row.lost = count - len(begun)
        row.twice = len(site.ledger.read_text(encoding="utf-8").splitlines()) - len(begun)
        row.recover_s = [ms / 1000 for ms in late_ms]
        early = [ms for ms in late_ms if ms < 0]
        row.demand(not row.lost and not row.twice, "not each of them ran once")
        row.demand(not early, f"{len(early)} ran early, by up to {-min(early, default=0):.1f} ms")
        p99_ms = percentile(late_ms, 0.99)
        row.demand(p99_ms < 50, f"p99 of the lateness is {p99_ms:.0f} ms")
        row.note = f"latest {max(late_ms):.0f} ms"
        row.violations += [f"oracle: {fault}" for fault in faults(site.client)[:5]]
    return row


def _at_once(count: int) -> Row:
    row = Row(f"{count:,} due at once", runs=count)
    with Site(options=("--slowlog-log-slower-than", str(SLOW_US), "--slowlog-max-len", "1000")) as site:
        due = datetime.now(UTC) + timedelta(seconds=5 + count / 7000)
        site.put_all(site.new("nothing", {"run_at": due.isoformat()}) for _ in range(count))
        site.worker(WORKER_PROCESSES=2, WORKER_QUEUES="default=50")
        left_s = (due - datetime.now(UTC)).total_seconds()
        row.demand(left_s > 0, f"they were due {-left_s:.1f} s before all were in")
        time.sleep(max(0.0, left_s))
        site.client.slowlog_reset()
        began_s = time.monotonic()
        site.until(lambda: site.client.zcard(f"{site.base}completed") == count, "all have completed", 120, 0.1)
        row.recover_s.append(time.monotonic() - began_s)
        slow: Any = site.client.slowlog_get(1000)
        slow_scripts = [entry["duration"] for entry in slow if entry["command"].split()[0] in (b"EVALSHA", b"EVAL")]
        row.demand(
            not slow_scripts, f"{len(slow_scripts)} scripts took up to {max(slow_scripts, default=0) / 1000:.1f} ms"
        )
    return row
