#!lua flags=allow-oom
-- observe.lua: add to a queue's histograms what a runner has measured since it last said so.
-- KEYS 1 base
-- ARGV 1 who  2 a number, another one each time  3… field, count, field, count …
-- RETURNS 1 added | 0 it was added before, and that reply was lost
-- WHY pcall: a field that somebody broke must not have those before it added again and again.
-- WHY the number: counts that were sent twice would be there for good.
local who, number = ARGV[1], ARGV[2]
local observed = base .. 'observed:' .. who

if redis.pcall('GET', observed) == number then return 0 end
redis.call('HLEN', base .. 'timings')
for i = 3, #ARGV, 2 do redis.pcall('HINCRBY', base .. 'timings', ARGV[i], ARGV[i + 1]) end
redis.call('SET', observed, number, 'EX', 3600)
return 1
