-- wait_ms(): until the earliest delayed job is due; '' where there is none. WHY format: Lua writes 15 digits as 2.5e+14.
local function wait_ms()
  local first = redis.call('ZRANGE', base .. 'delayed', 0, 0, 'WITHSCORES')
  if not first[2] then return '' end
  return string.format('%.0f', math.max(0, math.ceil(tonumber(first[2]) - now_ms)))
end
