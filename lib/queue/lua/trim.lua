#!lua flags=allow-oom
-- trim.lua: forget the oldest finished jobs, over the count or over the age, in bites; and graves of yesterday.
-- KEYS 1 base
-- ARGV 1 completed jobs kept  2 ms that completed and cancelled jobs are kept  3 ms that dead jobs are kept  4 most to forget
-- RETURNS {forgotten, 'more' or ''}
-- @transition completed --trim--> -
-- @transition dead --trim--> -
-- @transition cancelled --trim--> -
-- @use clock forget sound
local kept, kept_ms, dead_ms, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
sound('ZCARD', 'all')
sound('HLEN', 'gone')
local forgotten = 0

local function trim(state, ids)
  forget(state, ids)
  forgotten = forgotten + #ids
end

local over = redis.call('ZCARD', base .. 'completed') - kept
if over > 0 then trim('completed', redis.call('ZRANGE', base .. 'completed', 0, math.min(over, limit) - 1)) end
for state, age_ms in pairs({completed = kept_ms, cancelled = kept_ms, dead = dead_ms}) do
  if forgotten < limit then
    trim(state, redis.call('ZRANGEBYSCORE', base .. state, '-inf', now_ms - age_ms, 'LIMIT', 0, limit - forgotten))
  end
end
redis.call('ZREMRANGEBYSCORE', base .. 'graves', '-inf', now_ms - 86400000)
return {forgotten, forgotten >= limit and 'more' or ''}
