#!lua flags=allow-oom
-- once.lua: which job stands for a name under which a running job enqueues. Noted in its record, and kept as long as that.
-- KEYS 1 base
-- ARGV 1 id of the running job  2 its token  3 name  4 id of the job that is to stand for it  5 most names of one job
-- RETURNS 'stale' (the job runs elsewhere by now, or no more; nothing changed) | 'full' | the id that stands for the name,
--      this one or an earlier one; with a + before it where that one is known to have been taken in (see made.lua)
-- WHY no worker is asked for: no two claims of a job have the same token.
-- WHY allow-oom: the enqueue that follows is what is refused at maxmemory; who only asks again is to be answered.
local id, token, name, derived, most = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local job = base .. 'job:' .. id
local f = redis.call('HMGET', job, 'state', 'claims', 'once:' .. name, 'onces')

if f[1] ~= 'active' or f[2] ~= token then return 'stale' end
if f[3] then return f[3] end
local names = tonumber(f[4]) or 0
if names >= most then return 'full' end
redis.call('HSET', job, 'once:' .. name, derived, 'onces', names + 1)
return derived
