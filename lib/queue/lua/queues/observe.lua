#!lua flags=allow-oom
-- observe.lua: add to a queue's histograms what a runner has measured since its last call.
-- KEYS 1 base
-- ARGV 1 runner  2 a number that differs from that of the call before  3… field of `timings`, count, field, count …
-- RETURNS 1 added | 0 added before, by a call whose reply was lost
-- WHY the number: counts that were added twice would stay in the histograms for good.
-- WHY pcall: one field that somebody broke must not have the fields before it added again and again.
local runner, number = ARGV[1], ARGV[2]
local observed = base .. 'observed:' .. runner

if redis.pcall('GET', observed) == number then return 0 end
-- WHY HLEN: it raises WRONGTYPE where `timings` is broken, and the counts are sent again when it is mended.
redis.call('HLEN', base .. 'timings')
for i = 3, #ARGV, 2 do redis.pcall('HINCRBY', base .. 'timings', ARGV[i], ARGV[i + 1]) end
redis.call('SET', observed, number, 'EX', 3600)
return 1
