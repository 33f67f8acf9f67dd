#!lua flags=allow-oom
-- survey.lua: what upkeep needs to know of a queue, in one look; most of the time there is nothing to do.
-- KEYS 1 base
-- ARGV 1 completed jobs kept, and as many cancelled ones  2 ms that they are kept  3 ms that dead jobs are kept  4 dead jobs kept
--      5 most graves to look at
-- RETURNS {'1' where something is due, '1' where something expires, '1' where something is to be trimmed, how many
--      suspects may run, graves that hold ids parted by commas, ms until the first of these three will be so by itself or
--      '', worker, beat or 'none', worker, beat …}
-- @use clock
-- WHY not no-writes: where Redis answers reads and refuses writes (a replica, a full disk, too few replicas) nobody can
-- beat; a look that came through then would take the living for dead. Redis refuses this one with the beats.
local kept, kept_ms, dead_ms, dead_kept = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local most_graves = tonumber(ARGV[5])

local wait_ms = math.huge
local function is_first_before(key, ms)
  local first = tonumber(redis.call('ZRANGE', base .. key, 0, 0, 'WITHSCORES')[2])
  if not first then return false end
  wait_ms = math.min(wait_ms, first - ms)
  return first <= ms
end

local is_over = redis.call('ZCARD', base .. 'completed') > kept
  or redis.call('ZCARD', base .. 'cancelled') > kept
  or redis.call('ZCARD', base .. 'dead') > dead_kept
  or is_first_before('fading', now_ms)
  or is_first_before('completed', now_ms - kept_ms)
  or is_first_before('cancelled', now_ms - kept_ms)
  or is_first_before('dead', now_ms - dead_ms)
  or is_first_before('graves', now_ms - 86400000)

local occupied = {}
for _, worker in ipairs(redis.call('ZREVRANGE', base .. 'graves', 0, most_graves - 1)) do
  if redis.call('EXISTS', base .. 'active:' .. worker) == 1 then occupied[#occupied + 1] = worker end
end

local is_due, is_expiring = is_first_before('delayed', now_ms), is_first_before('expiring', now_ms)
local reply = {
  is_due and '1' or '',
  is_expiring and '1' or '',
  is_over and '1' or '',
  redis.call('HEXISTS', base .. 'meta', 'paused') == 1 and 0 or redis.call('LLEN', base .. 'suspects'),
  table.concat(occupied, ','),
  wait_ms < math.huge and string.format('%.0f', math.max(0, wait_ms)) or '',
}
local beats = redis.call('HGETALL', base .. 'beats')
for _, item in ipairs(beats) do reply[#reply + 1] = item end

-- A runner that is registered and shows no beat: somebody took it away. It is watched by that.
local shown = {}
for i = 1, #beats, 2 do shown[beats[i]] = true end
for _, worker in ipairs(redis.call('HKEYS', base .. 'workers')) do
  if not shown[worker] then
    reply[#reply + 1] = worker
    reply[#reply + 1] = 'none'
  end
end
return reply
