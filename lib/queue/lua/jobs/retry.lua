#!lua flags=allow-oom
-- retry.lua: run a job that has ended again, as if it were new; its history stays.
-- KEYS 1 base
-- ARGV 1 id  2 its unique key, or ''  3 idempotency key, or ''  4 fingerprint of the request
--      5 '1' where the job is to begin without its checkpoint, or ''
-- RETURNS 'done' | 'replayed' | 'conflict' (parts/idempotency.lua) | the state that does not allow it
--      | 'unique ' and the id of the job that holds the unique key | '' there is no such job
--      | 'waits': a later version has let the job wait for other jobs, and only such a version knows whether it may run
-- @transition dead --retry--> ready
-- @transition completed --retry--> ready
-- @transition cancelled --retry--> ready
-- @use states check_types idempotency make_ready revive type_of_job unique_place
-- WHY allow-oom: no new job comes in. The record loses fields; Redis gains an id in a list, a line of history, the key.
local id, unique_key, key, fingerprint, is_from_start = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1'
-- For how long the job holds its unique key where its record notes no time: enqueue.lua writes none for a day.
local DAY_MS = '86400000'
local job = base .. 'job:' .. id
local state, unique_ttl, waits = unpack(redis.call('HMGET', job, 'state', 'unique_ttl', 'waits'))

if not state then return '' end
local before = asked_before(key, fingerprint)
if before then return before end
if LIVES[state] ~= false then return state end
if waits then return 'waits' end
local unique, holder
if unique_key ~= '' then unique, holder = unique_place(unique_key, type_of_job(job), id) end
if holder then return 'unique ' .. holder end

check_types('LLEN', 'ready:high', 'ready:normal', 'ready:low')
check_types('ZCARD', state)
if unique then redis.call('SET', unique, id, 'PX', string.match(unique_ttl or '', '^[1-9]%d*$') or DAY_MS) end
revive(id, is_from_start)
publish_ready('retry')
note_asked(key, fingerprint, id)
return 'done'
