"""The jobs that a schedule runs, in the JSON that says what it runs: one job, a job with `then`, or a workflow. Pure.

    {"type": "fetch", "payload": {…}, "then": [{"type": "sum", "payload": {…}}]}
    {"jobs": {"fetch": {"type": "fetch", "payload": {…}}, "part": {"jobs": {…}}}, "then": […]}

Each job has a pointer from the top of that JSON: "" and "/then/0" in the first, "/jobs/fetch", "/jobs/part/jobs/a" in
the second.
"""

from collections.abc import Callable, Iterator
from typing import Any

from lib.jobs.graph_reader import below
from lib.jobs.masking import masked

Change = Callable[[dict[str, Any], str], dict[str, Any]]
"""What a job without its `then` becomes, given its pointer."""


def with_each_job(tree: Any, change: Change, pointer: str = "") -> Any:
    """The same, with what `change` makes of a job in the place of each. Values that are of no right type stay as they
    are, and a `then` without elements is left out.

    It recurses: JSON of a request is nested 100 deep at most.
    """
    if type(tree) is not dict:
        return tree
    then, members = tree.get("then"), tree.get("jobs")
    bare = {name: value for name, value in tree.items() if name != "then"}
    if type(members) is dict:
        places = {name: below(f"{pointer}/jobs", name) for name in members}
        found = bare | {"jobs": {name: with_each_job(members[name], change, at) for name, at in places.items()}}
    else:
        found = change(bare, pointer)
    if type(then) is list:
        jobs = [with_each_job(job, change, f"{pointer}/then/{number}") for number, job in enumerate(then)]
        return found | {"then": jobs} if jobs else found
    return found if then is None else found | {"then": then}


def each_job(tree: Any, pointer: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every job of the tree, with its pointer. A job that has a `then` comes with it; the jobs in there come behind."""
    if type(tree) is not dict:
        return
    then, members = tree.get("then"), tree.get("jobs")
    if type(members) is dict:
        for name, member in members.items():
            yield from each_job(member, below(f"{pointer}/jobs", name))
    else:
        yield pointer, tree
    for number, job in enumerate(then if type(then) is list else ()):
        yield from each_job(job, f"{pointer}/then/{number}")


def with_masks(tree: Any) -> Any:
    """The same, with the secrets of all payloads masked."""
    return with_each_job(tree, lambda job, pointer: job | {"payload": masked(job.get("payload"))})
