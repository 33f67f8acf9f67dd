#!lua flags=allow-oom
-- remove.lua: forget a queue that holds no job and that no living runner serves.
-- KEYS 1 base
-- ARGV 1 lease in ms of a runner that says none  2… names of the keys that go, behind the base (keys.py has the list)
-- RETURNS {'jobs', how many it holds} or {'served', by how many runners}, and then nothing was changed
--      | {'removed', the queue's marker or ''}
-- @use clock alive
-- WHY the marker may stay behind: see Queues.remove.
local MOST_GRAVES, MINUTES = 1000, 3

local jobs = redis.call('ZCARD', base .. 'all')
if jobs > 0 then return {'jobs', jobs} end
local runners, alive = {}, 0
local workers = redis.call('HGETALL', base .. 'workers')
for i = 1, #workers, 2 do
  runners[#runners + 1] = workers[i]
  if is_alive(workers[i + 1], redis.call('HGET', base .. 'beats', workers[i]), tonumber(ARGV[1])) then alive = alive + 1 end
end
if alive > 0 then return {'served', alive} end

local marker = redis.pcall('GET', base .. 'epoch')
-- What runners have left here by their own names. Whatever stands in their lists is no job: there is none.
for _, worker in ipairs(redis.call('ZREVRANGE', base .. 'graves', 0, MOST_GRAVES - 1)) do runners[#runners + 1] = worker end
for _, worker in ipairs(runners) do
  redis.call('UNLINK', base .. 'active:' .. worker, base .. 'cancels:' .. worker, base .. 'observed:' .. worker)
end
local minute = math.floor(now_ms / 60000)
for at = minute - MINUTES, minute do redis.call('UNLINK', base .. 'minute:' .. digits(at)) end
for i = 2, #ARGV do redis.call('UNLINK', base .. ARGV[i]) end
return {'removed', type(marker) == 'string' and marker or ''}
