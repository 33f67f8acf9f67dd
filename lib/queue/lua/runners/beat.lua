#!lua flags=allow-oom
-- beat.lua: say for runners that they live. Their counters move; a reaper watches nothing else.
-- KEYS 1 base
-- ARGV 1… workers
-- RETURNS a letter for each: 1 beaten | 0 not registered (it was reaped)
-- @use clock
local answers = {}
for i, worker in ipairs(ARGV) do
  local beat = redis.call('HGET', base .. 'beats', worker)
  local counter = beat and tonumber(string.match(beat, '^(%d+):'))
  -- Registered, and what it showed is gone or garbage: somebody changed it by hand.
  if not counter and redis.call('HEXISTS', base .. 'workers', worker) == 1 then counter = 0 end
  if counter then redis.call('HSET', base .. 'beats', worker, (counter + 1) .. ':' .. now) end
  answers[i] = counter and '1' or '0'
end
return table.concat(answers)
