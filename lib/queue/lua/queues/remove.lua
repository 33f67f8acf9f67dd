#!lua flags=allow-oom
-- remove.lua: delete all keys of a queue that holds no job and that no living runner serves.
-- KEYS 1 base
-- ARGV 1 lease in ms of a runner whose registration names none  2… names of the keys that go, without the base
-- RETURNS {'jobs', how many the queue holds} | {'schedules', how many lie there} | {'served', by how many living
--        runners} | {'notices', how many wait to be told to jobs of other queues}: nothing was changed
--      | {'removed', the queue's marker, or ''}
-- @use clock alive period_numbers
-- WHY the marker may be left out of ARGV: it goes last, in a second call, when its removal is noted (Queues.remove).
local lease_ms = tonumber(ARGV[1])
local MOST_DEAD_RUNNERS, MOST_GROUPS, HOURS, PERIODS = 1000, 2000, 25, 320

local jobs = redis.call('ZCARD', base .. 'all')
if jobs > 0 then return {'jobs', jobs} end
local schedules = redis.call('ZCARD', base .. 'slots')
if schedules > 0 then return {'schedules', schedules} end
local notices = redis.call('XLEN', base .. 'notices')
if notices > 0 then return {'notices', notices} end
local runners, alive = {}, 0
local registered = redis.call('HGETALL', base .. 'workers')
for i = 1, #registered, 2 do
  local runner, about = registered[i], registered[i + 1]
  runners[#runners + 1] = runner
  if is_alive(about, redis.call('HGET', base .. 'beats', runner), lease_ms) then alive = alive + 1 end
end
if alive > 0 then return {'served', alive} end

local marker = redis.pcall('GET', base .. 'epoch')
-- The keys of runners that are gone. Whatever stands in their active lists is no job: the queue has none.
for _, runner in ipairs(redis.call('ZREVRANGE', base .. 'graves', 0, MOST_DEAD_RUNNERS - 1)) do
  runners[#runners + 1] = runner
end
for _, runner in ipairs(runners) do
  redis.call('UNLINK', base .. 'active:' .. runner, base .. 'cancels:' .. runner, base .. 'observed:' .. runner)
end
-- The lines hold stale ids at most, for the queue has no job.
for _, group in ipairs(redis.call('ZRANGE', base .. 'groups', 0, MOST_GROUPS - 1)) do
  for _, name in ipairs({'line:high:', 'line:normal:', 'line:low:', 'running:', 'rate:'}) do
    redis.call('UNLINK', base .. name .. group)
  end
end
redis.call('UNLINK', base .. 'running:', base .. 'rate:', base .. 'broken')
-- What was counted in other periods has expired. WHY pcall: a broken `rollups` goes with the queue.
local periods = redis.pcall('ZREVRANGE', base .. 'rollups', 0, PERIODS - 1)
for _, period in ipairs(periods) do drop_period(tonumber(period) or 0) end
local hour = math.floor(now_ms / 3600000)
for at = hour - HOURS, hour do redis.call('UNLINK', base .. 'errors:' .. digits(at)) end
for i = 2, #ARGV do redis.call('UNLINK', base .. ARGV[i]) end
return {'removed', type(marker) == 'string' and marker or ''}
