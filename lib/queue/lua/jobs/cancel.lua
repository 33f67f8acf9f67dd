#!lua flags=allow-oom
-- cancel.lua: stop a job that waits; ask one that runs to stop.
-- KEYS 1 base
-- ARGV 1 id  2 '1' where its handler is to have no time to end, or ''  3 idempotency key, or ''  4 fingerprint of the request
-- RETURNS 'done' | 'replayed' | 'conflict' (see parts/idempotency.lua) | 'requested' | the state that does not allow it | '' no such job
-- @transition ready --cancel--> cancelled
-- @transition delayed --cancel--> cancelled
-- @use clock check_types events fade idempotency stale_ids tally
-- WHY the id stays in its list, marked `listed`: to search a list of a million would stop Redis. claim drops it there.
-- WHY '!' and the id beside the id: an older runner knows no such job, and cancels this one as it always did.
local id, is_forced, key, fingerprint = ARGV[1], ARGV[2] == '1', ARGV[3], ARGV[4]
local job = base .. 'job:' .. id
local f = redis.call('HMGET', job, 'state', 'priority', 'suspect', 'worker', 'retain')
local state = f[1]

if not state then return '' end
local before = asked_before(key, fingerprint)
if before then return before end
if state == 'active' then
  redis.call('HSETNX', job, 'cancel_requested', now)
  -- Without a worker it was written by hand, and nobody listens.
  local cancels = base .. 'cancels:' .. (f[4] or '')
  redis.call('SADD', cancels, id)
  if is_forced then redis.call('SADD', cancels, '!' .. id) end
  redis.call('EXPIRE', cancels, 3600)
  note_asked(key, fingerprint, id)
  return 'requested'
end
if state ~= 'ready' and state ~= 'delayed' then return state end

sound('ZCARD', 'cancelled', 'delayed')
if state == 'ready' then leave(job, home(f[2], f[3])) else redis.call('ZREM', base .. 'delayed', id) end
if f[3] then redis.call('HDEL', job, 'suspect') end
redis.call('HSET', job, 'state', 'cancelled', 'finished', now)
redis.call('ZADD', base .. 'cancelled', now, id)
fade(id, f[5])
announce('cancelled', {id}, 'cancel')
tally('cancelled', {[kind_of(job)] = 1})
note_asked(key, fingerprint, id)
return 'done'
