"""A million jobs wait: what enqueue, claim, finish, patch and cancel cost, against a thousand; GET /api/jobs, paged."""

import json
from collections.abc import Iterator

from lib.api.job_search import SEARCH_S
from tests.faults.costs import CALLS, Side, evalsha, fill, measured
from tests.faults.load import ask
from tests.faults.row import Row
from tests.faults.site import Site

SHALLOW = 1000
ROUNDS = 150
SLACK_US = 8  # What a few more misses of the CPU's caches come to: one key among a million is in none of them.
PAGE_S = 0.05
PAGES = 20
CALL_MS = 10
QUERIES = (
    "",
    "?limit=200",
    "?state=ready",
    "?state=ready&limit=200",
    "?state=active",
    "?state=dead",
    "?queue=default",
    "?type=another",
    "?request_id=another&state=ready",
)


def run(*, is_quick: bool) -> Iterator[Row]:
    count = 100_000 if is_quick else 1_000_000
    row = Row(f"{count:,} waiting: cost against {SHALLOW:,}", runs=CALLS * ROUNDS)
    with Site() as shallow, Site() as deep:
        # As many more as will be claimed meanwhile.
        fill(Side(shallow), SHALLOW + CALLS * ROUNDS)
        fill(Side(deep), count + CALLS * ROUNDS)
        before_us, after_us = measured(Side(shallow), Side(deep), rounds=ROUNDS)
        for name, cost_us in after_us.items():
            ratio = cost_us / before_us[name]
            is_same = ratio <= 1.2 or cost_us - before_us[name] <= SLACK_US
            row.demand(is_same, f"{name} costs {cost_us:.0f} us, {ratio:.2f} times {before_us[name]:.0f} us")
        row.note = ", ".join(f"{name} {before_us[name]:.1f} -> {after_us[name]:.1f} us" for name in after_us)
        yield row
        yield _pages(deep, count)


def _pages(site: Site, deep: int) -> Row:
    """Each page is asked for three times, and the quickest counts: what else this machine did is no cost of it."""
    row = Row(f"{deep:,} waiting: pages of GET /api/jobs")
    url = site.server().url
    slowest: dict[str, float] = {}
    for query in QUERIES:
        cursor = ""
        site.client.config_resetstat()
        for _ in range(PAGES):
            joined = f"{query}{'&' if query else '?'}cursor={cursor}" if cursor else query
            answers = [ask(url, f"/api/jobs{joined}") for _ in range(3)]
            row.demand(all(status == 200 for status, *_ in answers), f"{joined}: {answers[0][0]}")
            took_s = min(took_s for _, took_s, *_ in answers)
            row.runs += 1
            row.recover_s.append(took_s)
            slowest[query] = max(took_s, slowest.get(query, 0.0))
            cursor = json.loads(answers[0][3]).get("next_cursor") or ""
        call_ms = evalsha(site)["usec_per_call"] / 1000
        row.demand(call_ms < CALL_MS, f"GET /api/jobs{query}: a call held Redis for {call_ms:.1f} ms")
    for query, took_s in slowest.items():
        # Where few jobs fit, or none, a page looks on for a while, and no call of it is longer.
        most_s = PAGE_S + (SEARCH_S if "another" in query else 0.0)
        row.demand(took_s < most_s, f"GET /api/jobs{query}: a page took {took_s * 1000:.0f} ms")
    row.note = "slowest: " + ", ".join(
        f"{query or 'plain'} {took_s * 1000:.0f} ms" for query, took_s in slowest.items()
    )
    return row
