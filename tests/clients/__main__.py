"""python -m tests.clients [name ...]: see SCENARIOS; none named: all (`generated` has its generators in it).

What they need of npm's and PyPI's packages is installed into tests/clients/.installed/, once.
The exit code is 1 where a client did not see what it should.
"""

import argparse
import sys
from collections.abc import Callable

from tests.clients import generated, refusals, streams

SCENARIOS: dict[str, Callable[[], list[str]]] = {
    "refusals": refusals.run,
    "streams": streams.run,
    "generated": generated.run,
    **generated.GENERATORS,
}
"""Each prints a table, and gives what is not as it should be, a sentence each."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.clients")
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(SCENARIOS))
    names = parser.parse_args().names or [name for name in SCENARIOS if name not in generated.GENERATORS]
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        parser.error(f"nothing is called {', '.join(unknown)}; there are: {', '.join(SCENARIOS)}")
    faults = [f"{name}: {fault}" for name in names for fault in SCENARIOS[name]()]
    for fault in faults:
        print(f"FAULT  {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
