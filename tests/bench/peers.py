"""Other job queues on the same machine, in turns with Waybill: what `peers.py` of the folder given with --peers says.

`peers.py NAME…` installs what it needs and prints a JSON object a line: {"peer", "what", "rate" or "value" …}. Its
Redis is as Waybill's (AOF everysec), but its peers reach it by TCP. What it does not measure node.py does.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.bench.figure import Figure

UNITS = {"rate": "/s", "p50": "ms", "p99": "ms", "value": "bytes"}
LIMIT_S = 600.0


class PeerFailed(RuntimeError):
    """A peer that was asked for gave no figure: what Waybill did in that round has nothing beside it."""


def told(names: Sequence[str], keys: Sequence[str]) -> Callable[[Path], Iterable[Figure]]:
    """A run of `peers.py NAMES…`, of which the figures with those keys are kept."""
    return lambda folder: run(folder, names, keys)


def run(folder: Path, names: Sequence[str], keys: Sequence[str], *, limit_s: float = LIMIT_S) -> list[Figure]:
    """Keys are `<peer>.<what>.<rate|p50|p99|value>`. Raises PeerFailed where one of them is not among what was
    said."""
    command = [sys.executable, "peers.py", *names]
    pipe = subprocess.PIPE
    peers = subprocess.Popen(command, cwd=folder, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    try:
        said, faults = peers.communicate(timeout=limit_s)
    except BaseException:
        # With its Redis and its Node programs: they would go on beside what is measured next.
        os.killpg(peers.pid, signal.SIGKILL)
        peers.wait()
        raise
    if peers.returncode:
        raise PeerFailed(f"peers.py {' '.join(names)} ended with {peers.returncode}:\n{faults[-1000:]}")
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    found = {figure.key: figure for line in lines for figure in figures_in(line)}
    if lacking := [key for key in keys if key not in found]:
        raise PeerFailed(f"peers.py {' '.join(names)} did not say {', '.join(lacking)}:\n{said[-1000:]}")
    return [found[key] for key in keys]


def figures_in(said: dict[str, Any]) -> Iterator[Figure]:
    """One line of peers.py. `non2xx` stands there where a peer did not do what it was asked: then it has no figures."""
    if said.get("non2xx"):
        return
    for name, unit in UNITS.items():
        if (value := _number(str(said.get(name)))) is not None:
            yield Figure(f"{said['peer']}.{said['what']}.{name}", value, unit)


def _number(text: str) -> float | None:
    """`5.24ms`, `640us`, `1.2s` in ms; a plain number as it is; None for what is no number."""
    found = re.fullmatch(r"([\d.]+)(us|ms|s|)", text)
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0, "": 1.0}[found[2]] if found else None
