-- forget(state, ids): every trace of finished jobs but the counters. An id may still stand in lists (see _listed.lua): in
-- how many is noted in `gone`, so that claim can tell it from garbage.
local function forget(state, ids)
  if #ids == 0 then return end
  local keys = {}
  for _, id in ipairs(ids) do
    local job = base .. 'job:' .. id
    local listed = redis.pcall('HGET', job, 'listed')
    if type(listed) == 'string' then redis.call('HSET', base .. 'gone', id, #listed) end
    keys[#keys + 1] = job
    keys[#keys + 1] = base .. 'log:' .. id
  end
  redis.call('UNLINK', unpack(keys))
  redis.call('ZREM', base .. state, unpack(ids))
  redis.call('ZREM', base .. 'all', unpack(ids))
end
