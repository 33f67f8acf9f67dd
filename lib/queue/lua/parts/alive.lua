-- is_alive(about, beat, lease_ms): has this runner beaten within its lease? about: the runner's registration (JSON),
-- which holds "lease_s" if the runner is new enough; beat: '<counter>:<ms>' or false; lease_ms: the lease of a runner
-- whose registration holds none.
-- WHY the distance counts: where Redis' clock went back an hour, the last beat of a dead runner lies an hour ahead.
-- WHY no runner is reaped by this: after an outage all beats are old. LeaseWatch decides that, by a clock of its own.
-- @use clock
local function is_alive(about, beat, lease_ms)
  local lease_s = tonumber(string.match(about, '"lease_s":(%d+%.?%d*)'))
  local beaten_ms = tonumber(string.match(beat or '', ':(%d+)$'))
  return beaten_ms ~= nil and math.abs(now_ms - beaten_ms) < (lease_s and lease_s * 1000 or lease_ms)
end
