#!lua flags=no-writes
-- roster.lua: the runners that serve a queue.
-- KEYS 1 base
-- RETURNS {now ms, then for each: worker, about it (JSON), beat, ids in its hands}
-- @use clock
local reply = {tostring(now_ms)}
local about = redis.call('HGETALL', base .. 'workers')
for i = 1, #about, 2 do
  local worker = about[i]
  reply[#reply + 1] = worker
  reply[#reply + 1] = about[i + 1]
  reply[#reply + 1] = redis.call('HGET', base .. 'beats', worker) or ''
  reply[#reply + 1] = redis.call('LLEN', base .. 'active:' .. worker)
end
return reply
