#!lua flags=allow-oom
-- made.lua: note that the job which stands for a name (see once.lua) was taken in: it is not to be enqueued again.
-- KEYS 1 base
-- ARGV 1 id of the job that enqueued  2 name  3 the id that once.lua noted  4 the id of the job that stands for it: the
--      same, or another one's that lives under its unique key
-- RETURNS 1 noted | 0 no such note: the job is gone, or it was noted before
-- WHY no fence: what a runner has enqueued is true, whoever the job belongs to by now.
local job, field = base .. 'job:' .. ARGV[1], 'once:' .. ARGV[2]
if redis.call('HGET', job, field) ~= ARGV[3] then return 0 end
redis.call('HSET', job, field, '+' .. ARGV[4])
return 1
