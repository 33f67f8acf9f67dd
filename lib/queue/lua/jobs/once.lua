#!lua flags=allow-oom
-- once.lua: a running job enqueues a job under a name: which id stands for that name? It is noted in the running job's
-- record, and kept as long as the record.
-- KEYS 1 base
-- ARGV 1 id of the running job  2 its token  3 name  4 id of the job that is to stand for the name
--      5 most names of a job
-- RETURNS 'stale': the attempt is over, nothing changed | 'full': the job has as many names as it may
--      | the id that stands for the name, this one or an earlier one; with a + before it where that job is known to
--        have been taken in (made.lua)
-- WHY no runner is compared: no two claims of a job have the same token.
-- WHY allow-oom: at maxmemory the enqueue that follows is refused; a job that only asks again is to be answered.
local id, token, name, derived_id, most = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local job = base .. 'job:' .. id
local state, claims, noted, names = unpack(redis.call('HMGET', job, 'state', 'claims', 'once:' .. name, 'onces'))

if state ~= 'active' or claims ~= token then return 'stale' end
if noted then return noted end
local count = tonumber(names) or 0
if count >= most then return 'full' end
redis.call('HSET', job, 'once:' .. name, derived_id, 'onces', count + 1)
return derived_id
