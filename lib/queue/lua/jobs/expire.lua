#!lua flags=allow-oom
-- expire.lua: end jobs that were to begin by now and have not begun.
-- KEYS 1 base
-- ARGV 1 most jobs
-- RETURNS {'more' where there may be others, or '', ids of the jobs that are dead now …}
-- @transition ready --expire--> dead
-- @transition delayed --expire--> dead
-- @transition blocked --expire--> dead
-- @use clock check_types kill mark_stale ready_list notices unblock
-- WHY a ready job's id stays in its list: parts/stale_ids.lua.
check_types('ZCARD', 'dead', 'delayed', 'blocked', 'unsure')
has_followers()
local limit = tonumber(ARGV[1])
local ids, expired = redis.call('ZRANGEBYSCORE', base .. 'expiring', '-inf', now, 'LIMIT', 0, limit), {}
for _, id in ipairs(ids) do
  local job = base .. 'job:' .. id
  local state, claims, priority, group, unbegun, stale_in =
    unpack(redis.pcall('HMGET', job, 'state', 'claims', 'priority', 'group', 'unbegun', 'listed'))
  redis.call('ZREM', base .. 'expiring', id)
  -- A job that has begun does not expire: parts/unbegun.lua.
  if (state == 'ready' or state == 'delayed' or state == 'blocked') and claims == unbegun then
    if state == 'ready' then
      mark_stale(job, stale_in, ready_list(priority, nil, group))
    elseif state == 'blocked' then
      unblock(id)
    else
      redis.call('ZREM', base .. 'delayed', id)
    end
    expired[#expired + 1] = id
  end
end
kill(expired, EXPIRED, 'expire')
return {#ids == limit and 'more' or '', unpack(expired)}
