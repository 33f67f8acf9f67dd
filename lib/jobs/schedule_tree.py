"""The jobs that a schedule runs, in the JSON that says what it runs: one job, a job with `then`, or a workflow. Pure.

    {"type": "fetch", "payload": {…}, "then": [{"type": "sum", "payload": {…}}]}
    {"jobs": {"fetch": {"type": "fetch", "payload": {…}}, "part": {"jobs": {…}}}, "then": […]}

Each job has a pointer from the top of that JSON: "" and "/then/0" in the first, "/jobs/fetch", "/jobs/part/jobs/a" in
the second.
"""

from collections.abc import Callable, Iterator
from typing import Any

from lib.jobs.graph_reader import below
from lib.jobs.masking import masked, shown_url

Change = Callable[[dict[str, Any], str], dict[str, Any]]
"""What a job without its `then` becomes, given its pointer."""


def _as_it_is(workflow: dict[str, Any], pointer: str) -> dict[str, Any]:
    return workflow


def with_each_job(tree: Any, change: Change, pointer: str = "", *, of_workflows: Change = _as_it_is) -> Any:
    """The same, with what `change` makes of a job in the place of each, and `of_workflows` of a workflow's own fields.
    Values that are of no right type stay as they are, and a `then` without elements is left out.

    It recurses: JSON of a request is nested 100 deep at most.
    """
    if type(tree) is not dict:
        return tree
    then, members = tree.get("then"), tree.get("jobs")
    bare = {name: value for name, value in tree.items() if name != "then"}
    if type(members) is dict:
        places = {name: below(f"{pointer}/jobs", name) for name in members}
        jobs_of = {
            name: with_each_job(members[name], change, at, of_workflows=of_workflows) for name, at in places.items()
        }
        found = of_workflows(bare, pointer) | {"jobs": jobs_of}
    else:
        found = change(bare, pointer)
    if type(then) is list:
        jobs = [
            with_each_job(job, change, f"{pointer}/then/{number}", of_workflows=of_workflows)
            for number, job in enumerate(then)
        ]
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
    """The same, with the secrets of all payloads masked, and those of the URLs that are called back."""
    return with_each_job(tree, _masked, of_workflows=_with_shown_url)


def _masked(job: dict[str, Any], pointer: str) -> dict[str, Any]:
    return _with_shown_url(job | {"payload": masked(job.get("payload"))}, pointer)


def _with_shown_url(asked: dict[str, Any], pointer: str) -> dict[str, Any]:
    """The same of a job, or of a workflow."""
    url = asked.get("callback_url")
    return asked | {"callback_url": shown_url(url)} if type(url) is str else asked


def with_kept_urls(tree: Any, kept: Any) -> Any:
    """The same, with the URL that `kept` has at the same place where `tree` has it as `with_masks` shows it."""
    urls: dict[str, str] = {}

    def note(asked: dict[str, Any], pointer: str) -> dict[str, Any]:
        if type(url := asked.get("callback_url")) is str:
            urls[pointer] = url
        return asked

    def put_back(asked: dict[str, Any], pointer: str) -> dict[str, Any]:
        url = urls.get(pointer)
        is_shown = url is not None and asked.get("callback_url") == shown_url(url)
        return asked | {"callback_url": url} if is_shown else asked

    with_each_job(kept, note, of_workflows=note)
    return with_each_job(tree, put_back, of_workflows=put_back)
