#!lua flags=allow-oom
-- trim.lua: forget jobs that have ended, a limited number a call: the oldest ones over the count, those over the age,
-- and those whose own `retain` is over; and runners that were taken for dead a day ago.
-- KEYS 1 base
-- ARGV 1 completed jobs kept, and as many cancelled ones  2 ms that these are kept  3 ms that dead jobs are kept
--      4 dead jobs kept  5 most jobs to forget
-- RETURNS {how many were forgotten, 'more' where there may be others, or ''}
-- @transition completed --trim--> -
-- @transition dead --trim--> -
-- @transition cancelled --trim--> -
-- @use clock states check_types forget
local kept, kept_ms, dead_ms, dead_kept = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local limit = tonumber(ARGV[5])
local DAY_MS = 86400000

check_types('ZCARD', 'all')
check_types('HLEN', 'gone')
local forgotten = 0
local function trim(state, ids)
  forget(state, ids)
  forgotten = forgotten + #ids
end

-- WHY the state is read: an older version may have run the job again, and left its id in `fading`.
local function trim_faded()
  local of_state = {}
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', base .. 'fading', '-inf', now, 'LIMIT', 0, limit - forgotten)) do
    local state = redis.pcall('HGET', base .. 'job:' .. id, 'state')
    if LIVES[state] == false then
      of_state[state] = of_state[state] or {}
      table.insert(of_state[state], id)
    else
      redis.call('ZREM', base .. 'fading', id)
    end
  end
  for state, ids in pairs(of_state) do trim(state, ids) end
end

for state, most in pairs({completed = kept, cancelled = kept, dead = dead_kept}) do
  local over = math.min(redis.call('ZCARD', base .. state) - most, limit - forgotten)
  if over > 0 then trim(state, redis.call('ZRANGE', base .. state, 0, over - 1)) end
end
for state, age_ms in pairs({completed = kept_ms, cancelled = kept_ms, dead = dead_ms}) do
  if forgotten < limit then
    trim(state, redis.call('ZRANGEBYSCORE', base .. state, '-inf', now_ms - age_ms, 'LIMIT', 0, limit - forgotten))
  end
end
if forgotten < limit then trim_faded() end
for _, runner in ipairs(redis.call('ZRANGEBYSCORE', base .. 'graves', '-inf', now_ms - DAY_MS, 'LIMIT', 0, limit)) do
  redis.call('ZREM', base .. 'graves', runner)
  redis.pcall('HDEL', base .. 'epitaphs', runner)
  -- A reaper of an older version leaves them.
  redis.pcall('HDEL', base .. 'vitals', runner)
end
return {forgotten, forgotten >= limit and 'more' or ''}
