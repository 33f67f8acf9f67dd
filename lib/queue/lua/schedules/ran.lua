#!lua flags=allow-oom
-- ran.lua: note a job that somebody had a schedule queue now. The job counts as the schedule's last; its slots go on.
-- KEYS 1 base
-- ARGV 1 name  2 the job's id
-- RETURNS 'done' | 'gone' (there is no such schedule)
-- @use outcomes schedules
local name, id = ARGV[1], ARGV[2]
local key = schedule_key(name)
local version, last = unpack(redis.call('HMGET', key, 'version', 'last'))
if not version then return 'gone' end
-- A second request with one idempotency key.
if last == id then return 'done' end
redis.call('HSET', key, 'last', id)
note_outcome(key, '', 'run', id)
return 'done'
