#!lua flags=allow-oom
-- promote.lua: what has waited for a time may go on: delayed jobs that are due are ready, groups that have rested have
-- their turn, and where the queue's rate allows a start again, a runner is woken.
-- KEYS 1 base
-- ARGV 1 most jobs, and most groups  2 the runner that asks, or '' for upkeep
-- RETURNS {after how many ms this runner asks again (parts/keeper.lua) or '', 'more' where that is now, or ''}
-- @transition delayed --promote--> ready
-- @use bell clock due has_waiting keeper promote_due queue_settings rate rested
local limit, runner = tonumber(ARGV[1]), ARGV[2]

-- When the queue's own rate allows a start; nil where it does now, or where the queue has none. rate: the setting.
local function next_start(rate)
  local rate_limit, rate_ms = rate_in(rate)
  if not rate_limit then return nil end
  local starts, rest_ms = rate_room(base .. 'rate:', rate_limit, rate_ms)
  if starts > 0 and has_waiting() then ring() end
  return rest_ms and now_ms + rest_ms
end

local rationed, concurrency, rate = queue_settings('rationed', 'concurrency', 'rate')
note_limits(concurrency, rate)
promote_due(limit)
local next_ms = next_due() or math.huge
if rationed then next_ms = math.min(next_ms, end_rests(limit) or math.huge, next_start(rate) or math.huge) end
return {my_wait(runner, next_ms, not blocks_on_bells() and PLAIN_MS or nil), next_ms <= now_ms and 'more' or ''}
