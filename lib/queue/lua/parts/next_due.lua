-- next_due(): when the earliest delayed job is due, in ms; nil where there is none.
-- @use clock
local function next_due() return tonumber(redis.call('ZRANGE', base .. 'delayed', '0', '0', 'WITHSCORES')[2]) end

-- wait_ms(due): until then; '' where there is none. WHY format: Lua writes 15 digits as 2.5e+14.
local function wait_ms(due)
  return due and string.format('%.0f', math.max(0, math.ceil(due - now_ms))) or ''
end
