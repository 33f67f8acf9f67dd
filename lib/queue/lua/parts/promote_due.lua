-- promote_due(limit): up to `limit` delayed jobs whose time has come are ready, the earliest first.
-- @use clock make_ready quarantine ready_list
local function promote_due(limit)
  local due = redis.call('ZRANGEBYSCORE', base .. 'delayed', '-inf', now, 'WITHSCORES', 'LIMIT', 0, limit)
  for i = 1, #due, 2 do
    local id, job = due[i], base .. 'job:' .. due[i]
    local state, priority, group, stale_in =
      unpack(redis.pcall('HMGET', job, 'state', 'priority', 'group', 'listed'))
    if state == 'delayed' then
      make_ready(id, job, ready_list(priority, nil, group), stale_in, 'since', due[i + 1])
    else
      quarantine(id, 'in delayed, and its state is not')
    end
    redis.call('ZREM', base .. 'delayed', id)
  end
  publish_ready('promote')
end
