#!lua flags=allow-oom
-- expire.lua: end jobs that were to begin by now and have not begun.
-- KEYS 1 base
-- ARGV 1 most jobs
-- RETURNS {'more' where there may be others, or '', ids of the jobs that are dead now …}
-- @transition ready --expire--> dead
-- @transition delayed --expire--> dead
-- @transition blocked --expire--> dead
-- @use clock check_types kill notices take_out
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
    -- No suspect is among them: a suspect has begun.
    take_out(id, job, state, priority, nil, group, stale_in)
    expired[#expired + 1] = id
  end
end
kill(expired, EXPIRED, 'expire')
return {#ids == limit and 'more' or '', unpack(expired)}
