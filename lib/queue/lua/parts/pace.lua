-- ended_in_a_minute(): how many jobs of the queue were completed or dead in about the last 60 s: those of this minute,
-- and of the last minute the share that lies within the 60 s. So it may be no whole number.
-- @use clock
local function ended_in_a_minute()
  local minute, count = math.floor(now_ms / 60000), 0
  local share = now_ms % 60000 / 60000
  for at, weight in pairs({[minute] = 1, [minute - 1] = 1 - share}) do
    for _, ended in ipairs(redis.pcall('HMGET', base .. 'minute:' .. at, 'completed', 'dead')) do
      count = count + (tonumber(ended or 0) or 0) * weight
    end
  end
  return count
end
