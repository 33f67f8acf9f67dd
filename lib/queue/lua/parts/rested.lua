-- first_rest(): when the first of the groups that rest has rested, in ms since 1970; nil where none rests.
-- @use clock lines
local function first_rest() return tonumber(redis.call('ZRANGE', base .. 'resting', '0', '0', 'WITHSCORES')[2]) end

-- end_rests(most): up to `most` groups whose rest is over have their turns again. Returns what first_rest() says then.
local function end_rests(most)
  local rested_ms = first_rest()
  if not rested_ms or rested_ms > now_ms then return rested_ms end
  lines().wake_rested(most)
  return first_rest()
end
