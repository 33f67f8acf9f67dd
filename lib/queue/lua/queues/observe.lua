#!lua flags=allow-oom
-- observe.lua: add to a queue's histograms what a runner has measured since its last call: to those since the queue
-- began, `timings`, and to those of this period of five minutes (parts/period.lua).
-- KEYS 1 base
-- ARGV 1 runner  2 a number that differs from that of the call before  3… field of `timings`, count, field, count …; a
--      field as 'lately wait 4' is 'wait 4' in `times:<period>`
-- RETURNS 1 added | 0 added before, by a call whose reply was lost
-- @use clock period
-- WHY the number: counts that were added twice would stay in the histograms for good.
-- WHY pcall: one field that somebody broke must not have the fields before it added again and again.
local runner, number = ARGV[1], ARGV[2]
local observed = base .. 'observed:' .. runner

if redis.pcall('GET', observed) == number then return 0 end
-- WHY HLEN: it raises WRONGTYPE where `timings` is broken, and the counts are sent again when it is mended.
redis.call('HLEN', base .. 'timings')
local times = base .. 'times:' .. digits(math.floor(now_ms / 300000))
for i = 3, #ARGV, 2 do
  local of_period = string.match(ARGV[i], '^lately (.+)$')
  redis.pcall('HINCRBY', of_period and times or base .. 'timings', of_period or ARGV[i], ARGV[i + 1])
end
redis.call('EXPIRE', times, 90000)
note_period()
redis.call('SET', observed, number, 'EX', 3600)
return 1
