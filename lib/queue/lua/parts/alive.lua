-- is_alive(about, beat, lease_ms): has this runner been heard of within its lease? about: the runner's registration (JSON),
-- which holds "lease_s" if the runner is new enough; lease_ms: the lease of a runner whose registration holds none.
-- WHY the distance: where Redis' clock went back an hour, the last beat of a dead one lies ahead for as long.
-- WHY this is for what is shown alone: a look after an outage finds all beats old. What reaps is LeaseWatch (upkeep.py).
-- @use clock
local function is_alive(about, beat, lease_ms)
  local said_s = tonumber(string.match(about, '"lease_s":(%d+%.?%d*)'))
  local beaten_ms = tonumber(string.match(beat or '', ':(%d+)$'))
  return beaten_ms ~= nil and math.abs(now_ms - beaten_ms) < (said_s and said_s * 1000 or lease_ms)
end
