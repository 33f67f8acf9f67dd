-- start_group(group): a group that was stopped may perhaps run again: it has its turn, and a runner is woken.
-- @use bell resume
local function start_group(group)
  redis.call('SREM', base .. 'full', group)
  redis.call('ZREM', base .. 'resting', group)
  if resume(group) then ring() end
end
