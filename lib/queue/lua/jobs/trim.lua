#!lua flags=allow-oom
-- trim.lua: forget the oldest finished jobs, over the count or over the age, those whose own time is over, in bites; and
-- graves of yesterday.
-- KEYS 1 base
-- ARGV 1 completed jobs kept, and as many cancelled ones  2 ms that they are kept  3 ms that dead jobs are kept  4 dead jobs kept
--      5 most to forget
-- RETURNS {forgotten, 'more' or ''}
-- @transition completed --trim--> -
-- @transition dead --trim--> -
-- @transition cancelled --trim--> -
-- @use clock check_types forget
local kept, kept_ms, dead_ms, dead_kept = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local limit = tonumber(ARGV[5])
sound('ZCARD', 'all')
sound('HLEN', 'gone')
local forgotten = 0

local function trim(state, ids)
  forget(state, ids)
  forgotten = forgotten + #ids
end

-- WHY its state is asked: a version before this one may have run it again, and left it here.
local function trim_faded()
  local of = {completed = {}, dead = {}, cancelled = {}}
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', base .. 'fading', '-inf', now, 'LIMIT', 0, limit - forgotten)) do
    local ids = of[redis.pcall('HGET', base .. 'job:' .. id, 'state')]
    if ids then ids[#ids + 1] = id else redis.call('ZREM', base .. 'fading', id) end
  end
  for state, ids in pairs(of) do trim(state, ids) end
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
redis.call('ZREMRANGEBYSCORE', base .. 'graves', '-inf', now_ms - 86400000)
return {forgotten, forgotten >= limit and 'more' or ''}
