-- tally(event, count): for the totals and the rates a minute that /api/queues shows.
local function tally(event, count)
  if count == 0 then return end
  local minute = base .. 'minute:' .. math.floor(now_ms / 60000)
  redis.call('HINCRBY', base .. 'totals', event, count)
  if redis.call('HINCRBY', minute, event, count) == count then redis.call('EXPIRE', minute, 180) end
end
