-- stop_group(group, until_ms): the group has no turn any more: it rests until a time, or is full where until_ms is nil.
-- @use clock resume
local function stop_group(group, until_ms)
  for _, priority in ipairs(PRIORITIES) do redis.call('ZREM', base .. 'turns:' .. priority, group) end
  if until_ms then
    redis.call('SREM', base .. 'full', group)
    redis.call('ZADD', base .. 'resting', 'GT', digits(until_ms), group)
  else
    redis.call('SADD', base .. 'full', group)
  end
end
