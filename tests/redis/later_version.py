"""What a later version does to a job that waits for others: it blocks the job, and frees it when the job may run.

No script of this version does either. Both are put together from the fragments of this version, as the later version's
own scripts will be.

    block(client, base, job_id)    ready or delayed -> blocked; the id of a ready one stays in its list, stale
    free(client, base, job_id)     blocked -> ready
"""

import redis
from redis.cluster import RedisCluster

from lib.queue.scripts import fragments_of

_BLOCK = """-- @use clock mark_stale ready_list
local id, waits = ARGV[1], ARGV[2]
local job = base .. 'job:' .. id
local state, priority, suspect, group, stale_in =
  unpack(redis.call('HMGET', job, 'state', 'priority', 'suspect', 'group', 'listed'))
if state == 'ready' then
  mark_stale(job, stale_in, ready_list(priority, suspect, group))
elseif state == 'delayed' then
  redis.call('ZREM', base .. 'delayed', id)
else
  return 0
end
redis.call('HDEL', job, 'suspect')
redis.call('HSET', job, 'state', 'blocked')
if waits == '1' then redis.call('HSET', job, 'waits', '1') end
redis.call('ZADD', base .. 'blocked', now, id)
redis.call('ZADD', base .. 'unsure', now_ms + 15000, id)
redis.call('HSET', base .. 'parents:' .. id, ARGV[3], 'c.\\31', '#open', 1)
return 1
"""

_FREE = """-- @use clock make_ready ready_list
local id = ARGV[1]
local job = base .. 'job:' .. id
local state, priority, group, stale_in = unpack(redis.call('HMGET', job, 'state', 'priority', 'group', 'listed'))
if state ~= 'blocked' then return 0 end
make_ready(id, job, ready_list(priority, nil, group), stale_in, 'since', now)
redis.call('ZREM', base .. 'blocked', id)
redis.call('ZREM', base .. 'unsure', id)
redis.call('DEL', base .. 'parents:' .. id)
publish_ready('resolve')
return 1
"""

Client = redis.Redis | RedisCluster


def block(client: Client, base: str, job_id: str, *, waits: bool = True) -> bool:
    """Whether the job was blocked: only one that is ready or delayed is. waits: for other jobs, which a retry is to
    respect; else for a call from outside."""
    return bool(client.eval(_text(_BLOCK), 1, base, job_id, "1" if waits else "", f"elsewhere-{job_id[-32:]}"))


def free(client: Client, base: str, job_id: str) -> bool:
    """Whether the job was blocked, and is ready now."""
    return bool(client.eval(_text(_FREE), 1, base, job_id))


def _text(source: str) -> str:
    return "\n".join(["local base = KEYS[1]", *fragments_of(source).values(), source])
