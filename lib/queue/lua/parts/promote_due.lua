-- promote_due(limit): move up to `limit` delayed jobs whose time has come to their ready lists, earliest first.
-- WHY the list comes first: where somebody broke it, the job stays where it is.
-- @use clock bell events quarantine stale_ids
local function promote_due(limit)
  local due = redis.call('ZRANGEBYSCORE', base .. 'delayed', '-inf', now, 'WITHSCORES', 'LIMIT', 0, limit)
  local moved, rings = {}, false
  for i = 1, #due, 2 do
    local id, job = due[i], base .. 'job:' .. due[i]
    local f = redis.pcall('HMGET', job, 'state', 'priority', 'listed')
    if f[1] == 'delayed' then
      if f[3] then put(id, job, home(f[2])) else redis.call('LPUSH', base .. home(f[2]), id) end
      redis.call('HSET', job, 'state', 'ready', 'since', due[i + 1])
      rings = rings or f[2]
      moved[#moved + 1] = id
    else
      quarantine(id, 'in delayed, and its state is not')
    end
    redis.call('ZREM', base .. 'delayed', id)
  end
  if rings then ring() end
  tell('ready', moved, 'promote')
end
