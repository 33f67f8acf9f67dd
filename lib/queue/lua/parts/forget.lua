-- forget(state, ids): every trace of finished jobs but the counters. An id may still stand in lists (see parts/stale_ids.lua): in
-- how many is noted in `gone`, so that claim can tell it from garbage.
local function forget(state, ids)
  if #ids == 0 then return end
  local jobs, logs = {}, {}
  for _, id in ipairs(ids) do
    local job = base .. 'job:' .. id
    local listed = redis.pcall('HGET', job, 'listed')
    if type(listed) == 'string' then redis.call('HSET', base .. 'gone', id, #listed) end
    jobs[#jobs + 1] = job
    logs[#logs + 1] = base .. 'log:' .. id
  end
  redis.call('UNLINK', unpack(jobs))
  -- Asked before: few jobs have a log, and to look for a key costs a third of what it costs to delete none.
  if redis.call('EXISTS', unpack(logs)) > 0 then redis.call('UNLINK', unpack(logs)) end
  redis.call('ZREM', base .. state, unpack(ids))
  redis.call('ZREM', base .. 'all', unpack(ids))
  redis.pcall('ZREM', base .. 'fading', unpack(ids))
end
