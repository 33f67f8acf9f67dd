-- forget(state, ids): every trace of finished jobs but the counters. The id of one that was cancelled, or expired, may
-- still stand in a list: it is noted in `gone`, so that claim can tell it from garbage.
local function forget(state, ids)
  if #ids == 0 then return end
  local keys = {}
  for _, id in ipairs(ids) do
    local job = base .. 'job:' .. id
    if state ~= 'completed' and redis.call('HEXISTS', job, 'listed') == 1 then redis.call('SADD', base .. 'gone', id) end
    keys[#keys + 1] = job
    keys[#keys + 1] = base .. 'log:' .. id
  end
  redis.call('UNLINK', unpack(keys))
  redis.call('ZREM', base .. state, unpack(ids))
  redis.call('ZREM', base .. 'all', unpack(ids))
end
