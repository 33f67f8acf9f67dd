#!lua flags=allow-oom
-- expire.lua: end the jobs that were to begin by now and have not.
-- KEYS 1 base
-- ARGV 1 limit
-- RETURNS {'more' or '', the ids of those that were ended …}
-- @transition ready --expire--> dead
-- @transition delayed --expire--> dead
-- @use clock check_types kill stale_ids
-- WHY a ready one stays in its list: see parts/stale_ids.lua.
sound('ZCARD', 'dead', 'delayed')
local limit = tonumber(ARGV[1])
local ids = redis.call('ZRANGEBYSCORE', base .. 'expiring', '-inf', now, 'LIMIT', 0, limit)
for _, id in ipairs(ids) do
  local job = base .. 'job:' .. id
  local f = redis.pcall('HMGET', job, 'state', 'claims', 'priority', 'unbegun')
  redis.call('ZREM', base .. 'expiring', id)
  -- One that has begun does not expire: see parts/unbegun.lua.
  if (f[1] == 'ready' or f[1] == 'delayed') and f[2] == f[4] then
    if f[1] == 'ready' then leave(job, home(f[3])) else redis.call('ZREM', base .. 'delayed', id) end
    expire(id, job)
  end
end
return {#ids == limit and 'more' or '', unpack(buried)}
