#!lua flags=no-writes
-- roster.lua: the living runners of a queue. A runner that has not beaten within its lease is left out, though perhaps
-- nobody is there to reap it.
-- KEYS 1 base
-- ARGV 1 lease in ms of a runner whose registration names none
-- RETURNS {now ms, then for each runner: id, about it (JSON), beat, how many ids are in its active list}
-- @use clock alive
local lease_ms = tonumber(ARGV[1])
local reply = {tostring(now_ms)}
local registered = redis.call('HGETALL', base .. 'workers')
for i = 1, #registered, 2 do
  local runner, about = registered[i], registered[i + 1]
  local beat = redis.call('HGET', base .. 'beats', runner)
  if is_alive(about, beat, lease_ms) then
    reply[#reply + 1] = runner
    reply[#reply + 1] = about
    reply[#reply + 1] = beat
    reply[#reply + 1] = redis.call('LLEN', base .. 'active:' .. runner)
  end
end
return reply
