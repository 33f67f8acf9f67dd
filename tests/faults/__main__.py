"""`python -m tests.faults [--quick] [name …]`: the faults of the real thing, and a table of what came of each.

Every scenario has a Redis of its own and real processes; none is told anything by lib/. Exit code 1 on any violation.
"""

import argparse
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator

from tests.faults import idempotency, kills, poison, restarts, sweep, zombies
from tests.faults.row import Row, table

SCENARIOS: dict[str, Callable[..., Iterator[Row]]] = {
    "kills": kills.run,
    "sweep": sweep.run,
    "zombies": zombies.run,
    "idempotency": idempotency.run,
    "poison": poison.run,
    "restarts": restarts.run,
}


def main() -> int:
    arguments = _arguments()
    rows: list[Row] = []
    for name in arguments.names or SCENARIOS:
        began_s = time.monotonic()
        print(f"== {name}", flush=True)
        try:
            for row in SCENARIOS[name](is_quick=arguments.quick):
                rows.append(row)
                print("   ".join(row.cells), *row.violations, sep="\n     ", flush=True)
        except Exception:  # noqa: BLE001  One scenario that can't go on must not hide what the others find.
            rows.append(Row(name, violations=[traceback.format_exc()]))
            print(rows[-1].violations[0], flush=True)
        print(f"   {time.monotonic() - began_s:.0f} s", flush=True)
    print(f"\n{table(rows)}\n")
    for row in rows:
        for violation in row.violations:
            print(f"VIOLATION  {row.fault}: {violation}")
    return 1 if not rows or any(row.violations for row in rows) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(SCENARIOS))
    parser.add_argument("--quick", action="store_true", help="fewer of everything")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in SCENARIOS]
    if unknown:
        parser.error(f"no scenario is called {', '.join(unknown)}; there are: {', '.join(SCENARIOS)}")
    return arguments


if __name__ == "__main__":
    # However it is ended, the processes that it started go with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
