"""The jobs of a graph as the text that plant.lua is given. Pure.

A record is that of a new job (enqueue_text.py), with four options more (lua/parts/job_options.lua): `b` the edges, `l`
the ids that wait for the job's end, `o` the ids that wait for the word that it is there, `j` for a workflow. Two
members of a workflow and the workflow itself (`|` stands for FIELD, `;` for RECORD, `/` for PART):

    emails-8f…1|normal|bodefault-0192… /ldefault-8f…2,default-0192…/|{"v":1,…};
    default-8f…2|normal|bodefault-0192… ,cemails-8f…1 fetch/ldefault-0192…/|{"v":1,…};
    default-0192…|normal|bmemails-8f…1 0/fetch,mdefault-8f…2 1/sum/j1/|{"v":1,"type":"workflow",…};
"""

from typing import Final, NamedTuple

from lib.jobs.job import NO_KEY, Keyed
from lib.jobs.workflow import Graph, GraphJob
from lib.queue.enqueue_text import options_text
from lib.queue.framing import FIELD, PART, RECORD

MOST_RECORDS: Final = 100
MOST_CHARACTERS: Final = 128 * 1024
"""WHY: an edge takes some 60 of them, and Redis writes about 2,000 edges in 2 ms. A hundred jobs that wait for 300 each
would hold it up for 40 ms and more."""


class PlantCall(NamedTuple):
    """What one call of plant.lua is to write: records of one queue."""

    queue: str
    text: str


def member_calls(graph: Graph) -> list[PlantCall]:
    """All jobs of the graph but the anchor, a queue after the other. A call has MOST_RECORDS at most, and no more than
    MOST_CHARACTERS unless it has one record."""
    calls: dict[str, list[list[str]]] = {}
    lengths: dict[str, int] = {}
    for member in graph.members:
        queue, record = member.job.queue, record_of(member)
        texts = calls.setdefault(queue, [])
        length = lengths.get(queue, 0) + len(record)
        if not texts or len(texts[-1]) == MOST_RECORDS or length > MOST_CHARACTERS:
            texts.append([])
            length = len(record)
        texts[-1].append(record)
        lengths[queue] = length
    return [PlantCall(queue, "".join(records)) for queue, texts in calls.items() for records in texts]


def anchor_text(graph: Graph, keyed: Keyed = NO_KEY) -> str:
    """The anchor's record, with the request's idempotency key."""
    anchor = graph.anchor
    return record_of(anchor._replace(job=anchor.job._replace(idempotency_key=keyed.key, fingerprint=keyed.fingerprint)))


def jobs_by_queue(graph: Graph) -> dict[str, int]:
    """How many jobs of the graph go into each queue."""
    counts: dict[str, int] = {}
    for one in graph.jobs:
        counts[one.job.queue] = counts.get(one.job.queue, 0) + 1
    return counts


def record_of(one: GraphJob) -> str:
    """One job's record."""
    job = one.job
    options = options_text(job) + _graph_options(one)
    return f"{job.job_id}{FIELD}{job.priority}{FIELD}{options}{FIELD}{job.spec_text}{RECORD}"


def _graph_options(one: GraphJob) -> str:
    text = ""
    if one.edges:
        text = "b" + ",".join(f"{edge.rule}{edge.parent_id} {edge.name}" for edge in one.edges) + PART
    if one.followers:
        text += f"l{','.join(one.followers)}{PART}"
    if one.opens:
        text += f"o{','.join(one.opens)}{PART}"
    if one.is_workflow:
        text += f"j1{PART}"
    return text
