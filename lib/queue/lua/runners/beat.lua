#!lua flags=allow-oom
-- beat.lua: runners live. The counter of each moves on; whoever reaps watches the counters and no clock.
-- KEYS 1 base
-- ARGV 1… runner, what it tells of itself ('<bytes> running' or '<bytes> draining', '' for nothing), runner …
-- RETURNS a letter each: 1 beaten | 0 not registered: the runner was reaped
-- @use clock
-- WHY pcall: whatever somebody put where `vitals` belongs, a runner that beats lives.
local answers = {}
for i = 1, #ARGV, 2 do
  local runner, vitals = ARGV[i], ARGV[i + 1]
  local beat = redis.call('HGET', base .. 'beats', runner)
  local counter = beat and tonumber(string.match(beat, '^(%d+):'))
  -- WHY: a registered runner without a readable beat lives; somebody changed the beat by hand.
  if not counter and redis.call('HEXISTS', base .. 'workers', runner) == 1 then counter = 0 end
  if counter then redis.call('HSET', base .. 'beats', runner, (counter + 1) .. ':' .. now) end
  if counter and vitals ~= '' then redis.pcall('HSET', base .. 'vitals', runner, vitals) end
  answers[#answers + 1] = counter and '1' or '0'
end
return table.concat(answers)
