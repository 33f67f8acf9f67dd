#!lua flags=no-writes
-- census.lua: how many jobs are where.
-- KEYS 1 base
-- ARGV 1 lease in ms of a runner that says none
-- RETURNS {all, active, delayed, completed, dead, cancelled, workers that are alive, created or ready-since ms of the oldest that waits
--      or '', now ms, ms into this minute, totals as `event type`, value … joined by \31, this minute's, the last
--      minute's, what was set for the queue}
-- @use clock alive
-- WHY ready is not here: it is what all leaves when the others are taken away. Lists hold ids of cancelled jobs and bells.
local active, alive = 0, 0
local workers = redis.call('HGETALL', base .. 'workers')
for i = 1, #workers, 2 do
  -- What a dead one holds is active until somebody takes it back.
  active = active + redis.call('LLEN', base .. 'active:' .. workers[i])
  local beat = redis.call('HGET', base .. 'beats', workers[i])
  if is_alive(workers[i + 1], beat, tonumber(ARGV[1])) then alive = alive + 1 end
end

local function oldest(list)
  for _, id in ipairs(redis.call('LRANGE', base .. list, -20, -1)) do
    local f = redis.pcall('HMGET', base .. 'job:' .. id, 'state', 'since')
    if f[1] == 'ready' then return tonumber(f[2] or redis.call('ZSCORE', base .. 'all', id)) end
  end
end

local oldest_ms
for _, list in ipairs({'ready:high', 'ready:normal', 'ready:low', 'suspects'}) do
  local ms = oldest(list)
  if ms and (not oldest_ms or ms < oldest_ms) then oldest_ms = ms end
end

local function counters(key) return table.concat(redis.call('HGETALL', base .. key), '\31') end
local minute = math.floor(now_ms / 60000)
local reply = {redis.call('ZCARD', base .. 'all'), active}
for _, state in ipairs({'delayed', 'completed', 'dead', 'cancelled'}) do
  reply[#reply + 1] = redis.call('ZCARD', base .. state)
end
reply[#reply + 1] = alive
reply[#reply + 1] = oldest_ms and tostring(oldest_ms) or ''
reply[#reply + 1] = now
reply[#reply + 1] = counters('totals')
reply[#reply + 1] = counters('minute:' .. minute)
reply[#reply + 1] = counters('minute:' .. (minute - 1))
reply[#reply + 1] = counters('meta')
return reply
