#!lua flags=allow-oom
-- made.lua: note that the job which stands for a name (once.lua) was taken in, so that it is not enqueued again.
-- KEYS 1 base
-- ARGV 1 id of the job that enqueued it  2 name  3 the id that once.lua noted  4 the id of the job that stands for the
--      name: the same, or the id of another job that lives under the unique key
-- RETURNS 1 noted | 0 the record has no such note: the job is gone, or this was noted before
-- WHY no fence: what a runner has enqueued is a fact, whoever holds the job by now.
local parent_id, name, noted_id, made_id = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local job = base .. 'job:' .. parent_id

if redis.call('HGET', job, 'once:' .. name) ~= noted_id then return 0 end
redis.call('HSET', job, 'once:' .. name, '+' .. made_id)
return 1
