-- wait_ms(): until the earliest delayed job is due; '' where there is none.
local function wait_ms()
  local first = redis.call('ZRANGE', base .. 'delayed', 0, 0, 'WITHSCORES')
  if not first[2] then return '' end
  return math.max(0, math.ceil(tonumber(first[2]) - now_ms))
end
