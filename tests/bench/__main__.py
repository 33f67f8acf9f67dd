"""make bench: how fast is it, measured from outside: HTTP in, real processes, a Redis of its own with AOF everysec.

    python -m tests.bench [--rounds 5] [--peers FOLDER_OF_PEERS_PY] [--quick] [name …]

Each figure is the middle one of the rounds. At the end stands a table; a run of everything also writes results.json and
results.svg beside this file (40 minutes; with --rounds 1 less than ten). A machine's own speed varies: quote ratios of
one run, taken with nothing beside it.
Needs redis-server, redis-benchmark for `ceiling`, and wrk for what posts.
"""

import argparse
import json
import resource
import signal
import sys
from pathlib import Path

from tests.bench import peers, plot
from tests.bench.figure import Figure, medians
from tests.bench.machine import machine
from tests.bench.measures import MEASURES
from tests.bench.rows import compared, number, table

RESULTS = Path(__file__).resolve().with_name("results.json")


def main() -> int:
    arguments = _arguments()
    figures: list[Figure] = []
    failed: list[str] = []
    for name in arguments.names or list(MEASURES):
        try:
            rounds = [_round(name, arguments) for _ in range(arguments.rounds)]
        except SystemExit as fault:
            # What took half an hour is not thrown away for it; but it is no run of everything.
            failed.append(f"{name}: {fault}")
            continue
        for figure in medians(rounds):
            figures.append(figure)
            print(f"{figure.key:<36} {number(figure.value):>10} {figure.unit}", flush=True)
    rows = compared({figure.key: figure for figure in figures})
    print(f"\n{table(rows)}")
    if failed:
        print("\nnot measured:", *failed, sep="\n")
        return 1
    if arguments.results:
        found = {
            "machine": machine(),
            "rounds": arguments.rounds,
            "is_quick": arguments.quick,
            "figures": {figure.key: {"value": figure.value, "unit": figure.unit} for figure in figures},
            "table": rows,
        }
        arguments.results.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        plot.main([str(arguments.results)])
    return 0


def _round(name: str, arguments: argparse.Namespace) -> list[Figure]:
    """Waybill and its peers in turns, so that what else the machine does falls on both."""
    figures = list(MEASURES[name](is_quick=arguments.quick))
    if arguments.peers and name in peers.NAMES:
        figures += peers.run(arguments.peers, peers.NAMES[name])
    return figures


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("names", nargs="*", choices=[[], *MEASURES], metavar="name", help=", ".join(MEASURES))
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (5)")
    parser.add_argument("--peers", type=Path, metavar="FOLDER", help="where peers.py lies: it is run in between")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, to try the tool")
    parser.add_argument("--results", type=Path, metavar="FILE", help="results.json of a run of everything")
    arguments = parser.parse_args()
    if arguments.results is None and not arguments.names and not arguments.quick:
        arguments.results = RESULTS
    return arguments


if __name__ == "__main__":
    # However it is ended, the processes that it started go with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    sys.exit(main())
