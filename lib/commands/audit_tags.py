"""Does each job stand in the index of each of its tags, and in no other? A part of audit.py, which reads the jobs.

    tagged = {"eu": {"email-4d1e…", "email-9a0b…"}}     each tag that some job has, and the jobs that have it

    email-4d1e… has the tag eu and does not stand in its index

An index whose tag no job has is not found: Redis would have to be searched for its name. It costs its memory alone.
"""

from collections.abc import AsyncIterator, Callable

from lib.errors import RedisKeysBroken

Tagged = dict[str, set[str]]


def add_tags(tagged: Tagged, job_id: str, tags: str) -> None:
    """tags: the job's field `tags`, as "eu,order-17"."""
    for tag in filter(None, tags.split(",")):
        tagged.setdefault(tag, set()).add(job_id)


async def faults_of_tags(
    tagged: Tagged, job_ids: set[str], index_of: Callable[[str], AsyncIterator[str]], key_of: Callable[[str], str]
) -> dict[str, str]:
    """What is wrong with the indexes of these tags: id, or name of a key, -> what is wrong with it.

    job_ids: of all the queue's jobs. index_of: the ids in a tag's index. key_of: the index' name in Redis.
    """
    faults = {}
    for tag, expected in sorted(tagged.items()):
        try:
            found = {job_id async for job_id in index_of(tag)}
        except RedisKeysBroken:
            faults[key_of(tag)] = "holds no zset; mend it or delete it"
            continue
        for job_id in expected - found:
            faults[job_id] = f"has the tag {tag} and does not stand in its index"
        for job_id in found - expected:
            what = ", which it does not have" if job_id in job_ids else " and is no job"
            faults[job_id] = f"stands in the index of the tag {tag}{what}"
    return faults
