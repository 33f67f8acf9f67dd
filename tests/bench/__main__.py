"""make bench: how fast is it, measured from outside: HTTP in, real processes, a Redis of its own with AOF everysec.

    python -m tests.bench [--rounds 5] [--peers FOLDER | --alone] [--quick] [--results FILE] [name …]

Each figure is the middle one of the rounds, each ratio the middle one of the rounds' ratios: within a round Waybill and
its peers run in turns. At the end stands a table; a run of everything also writes results.json and results.svg beside
this file (an hour; with --rounds 1 a quarter of one), a run of a part with --results its part of them. A measure that
failed in a round, or whose peer did, is not written, and the exit code is 1.
A machine's own speed varies: quote ratios of one run, taken with nothing beside it. Waybill reaches Redis by a unix
socket, the peers by TCP: that much of a ratio is the way to Redis.
Needs redis-server, redis-benchmark for what Redis can do, curl and wrk for what posts; Node and npm for the peers.
"""

import argparse
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import redis

from tests.bench import plot, results
from tests.bench.figure import Figure, gathered
from tests.bench.machine import commit, machine
from tests.bench.measures import MEASURES, PEERS, QUICK_PEERS
from tests.bench.rows import compared, notes, number, table
from tests.processes import ROOT

RESULTS = Path(__file__).resolve().with_name("results.json")
PEERS_FOLDER = ROOT.parent / "shared" / "bench"
FAULTS = (SystemExit, AssertionError, OSError, RuntimeError, ValueError, subprocess.SubprocessError, redis.RedisError)
"""What a measure ends with where a program is missing, refuses, ends or takes too long, Waybill's or a peer's."""


def main() -> int:
    arguments = _arguments()
    measures: dict[str, Any] = {}
    failed: list[str] = []
    for name in arguments.names or list(MEASURES):
        try:
            measures[name] = _measure(name, arguments)
        except FAULTS as fault:
            # What took half an hour is not thrown away for it.
            failed.append(f"{name}: {type(fault).__name__}: {fault}")
            print(failed[-1], file=sys.stderr, flush=True)
    rows = compared(results.figures_in(measures))
    print("", table(rows), "", *notes(rows), sep="\n")
    if arguments.results and measures:
        about = machine(has_peers=arguments.peers is not None)
        results.write(arguments.results, results.merged(_before(arguments.results, about), about, measures))
        plot.main([str(arguments.results)])
    if failed:
        print("\nnot measured:", *failed, sep="\n")
    return 1 if failed else 0


def _measure(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """All rounds of it; prints the middle ones."""
    found = gathered(_round(name, arguments) for _ in range(arguments.rounds))
    for key, one in found.items():
        print(f"{key:<36} {number(one.value):>10} {one.unit}", flush=True)
    date = time.strftime("%Y-%m-%d", time.gmtime())
    return results.measure(found, date=date, commit=commit(), rounds=arguments.rounds, is_quick=arguments.quick)


def _round(name: str, arguments: argparse.Namespace) -> Iterable[Figure]:
    """Waybill and its peers in turns, so that what else the machine does falls on both."""
    yield from MEASURES[name](is_quick=arguments.quick)
    if arguments.peers and name in PEERS:
        peers = QUICK_PEERS.get(name, PEERS[name]) if arguments.quick else PEERS[name]
        yield from peers(arguments.peers)


def _before(path: Path, about: dict[str, Any]) -> dict[str, Any]:
    """What is in the file and may stay beside new figures: of this machine, and of measures that there still are."""
    found = results.read(path)
    if not found or results.unfit(found, about):
        return {}
    return found | {"measures": {name: one for name, one in found["measures"].items() if name in MEASURES}}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("names", nargs="*", choices=[[], *MEASURES], metavar="name", help=", ".join(MEASURES))
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (5)")
    parser.add_argument(
        "--peers", type=Path, metavar="FOLDER", help=f"where peers.py lies ({PEERS_FOLDER} if it is there)"
    )
    parser.add_argument("--alone", action="store_true", help="no peers")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, to try the tool")
    parser.add_argument("--results", type=Path, metavar="FILE", help="results.json, of which this run renews a part")
    arguments = parser.parse_args()
    if arguments.peers is None and PEERS_FOLDER.is_dir():
        arguments.peers = PEERS_FOLDER
    if arguments.alone:
        arguments.peers = None
    elif arguments.peers is None:
        print("peers.py is not here: there will be nothing beside Waybill", file=sys.stderr)
    if arguments.results is None and not arguments.names and not arguments.quick:
        arguments.results = RESULTS
    if arguments.results and arguments.names:
        why = results.unfit(results.read(arguments.results), machine(has_peers=False))
        if why:
            parser.error(f"{arguments.results} is {why}; name another file")
    return arguments


if __name__ == "__main__":
    # However it is ended, the processes that it started go with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    sys.exit(main())
