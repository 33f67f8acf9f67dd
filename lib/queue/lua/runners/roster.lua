#!lua flags=no-writes
-- roster.lua: the runners that serve a queue. Those that were not heard of throughout their lease are left out, though
-- nobody may be there to reap them.
-- KEYS 1 base
-- ARGV 1 lease in ms of a runner that says none
-- RETURNS {now ms, then for each: worker, about it (JSON), beat, ids in its hands}
-- @use clock alive
local lease_ms = tonumber(ARGV[1])
local reply = {tostring(now_ms)}
local about = redis.call('HGETALL', base .. 'workers')
for i = 1, #about, 2 do
  local worker = about[i]
  local beat = redis.call('HGET', base .. 'beats', worker)
  if is_alive(about[i + 1], beat, lease_ms) then
    reply[#reply + 1] = worker
    reply[#reply + 1] = about[i + 1]
    reply[#reply + 1] = beat
    reply[#reply + 1] = redis.call('LLEN', base .. 'active:' .. worker)
  end
end
return reply
