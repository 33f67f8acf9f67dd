-- wake_rested(limit): up to `limit` groups whose rest is over have their turn again.
-- first_rest(): when the first group has rested, in ms since 1970; nil where none rests.
-- @use clock bell resume
local function wake_rested(limit)
  local groups = redis.call('ZRANGEBYSCORE', base .. 'resting', '-inf', now, 'LIMIT', 0, limit)
  if #groups == 0 then return end
  redis.call('ZREM', base .. 'resting', unpack(groups))
  redis.call('HDEL', base .. 'held', unpack(groups))
  local is_woken = false
  for _, group in ipairs(groups) do is_woken = resume(group) or is_woken end
  if is_woken then ring() end
end

local function first_rest() return tonumber(redis.call('ZRANGE', base .. 'resting', '0', '0', 'WITHSCORES')[2]) end
