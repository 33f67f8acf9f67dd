"""The list of all measures, and what of the peers runs beside each. Each is a function of a module of its theme."""

from collections.abc import Iterator
from typing import Protocol

from tests.bench import batch, ceiling, depth, mails, memory, pickup, posts, resting, scaling, start, work
from tests.bench.figure import Figure


class Measure(Protocol):
    """is_quick: a tenth of everything, to try the tool; such figures say little."""

    def __call__(self, *, is_quick: bool) -> Iterator[Figure]: ...


MEASURES: dict[str, Measure] = {
    "post": posts.run,
    "batch": batch.run,
    "work": work.run,
    "idle": pickup.run,
    "memory": memory.run,
    "start": start.run,
    "resting": resting.run,
    "mails": mails.run,
    "depth": depth.run,
    "scaling": scaling.run,
    "ceiling": ceiling.run,
}
