#!lua flags=allow-oom
-- retry.lua: run a finished job again, as if it were new; its history stays.
-- KEYS 1 base
-- ARGV 1 id  2 its unique key, or ''  3 idempotency key, or ''  4 fingerprint of the request
--      5 '1' where it is to begin from the start, without its checkpoint, or ''
-- RETURNS 'done' | 'replayed' | 'conflict' (see parts/idempotency.lua) | the state that does not allow it | 'unique ' and the id of the
--      job that holds the key | '' no such job
-- @transition dead --retry--> ready
-- @transition completed --retry--> ready
-- @transition cancelled --retry--> ready
-- @use clock check_types bell events history idempotency stale_ids tally unique_key
-- WHY claims and ended stay: the fence must still know the old attempts' tokens.
-- WHY allow-oom: nothing comes in. The record loses fields; what it gains is an id in a list, a line of history, its key.
-- WHY a day: the key's time that enqueue.lua does not note, and that versions before it never did.
local id, unique_key, key, fingerprint, from_start = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local DAY_MS = '86400000'
local job = base .. 'job:' .. id
local f = redis.call('HMGET', job, 'state', 'priority', 'error', 'finished', 'worker', 'claims', 'unique_ttl', 'patience')
local state = f[1]

if not state then return '' end
local before = asked_before(key, fingerprint)
if before then return before end
if state ~= 'dead' and state ~= 'completed' and state ~= 'cancelled' then return state end
local unique, other
if unique_key ~= '' then unique, other = unique_place(unique_key, kind_of(job), id) end
if other then return 'unique ' .. other end

sound('LLEN', 'ready:high', 'ready:normal', 'ready:low')
sound('ZCARD', state)
if unique then redis.call('SET', unique, id, 'PX', string.match(f[7] or '', '^[1-9]%d*$') or DAY_MS) end
-- Without a worker it never ran: cancelled while it waited.
if f[5] then remember(job, state, state ~= 'completed' and f[3] or nil, f[4]) end
-- Else the runner that was asked to stop it would stop it again, should it be that one's once more.
if f[5] then redis.pcall('SREM', base .. 'cancels:' .. f[5], id, '!' .. id) end
redis.call('ZREM', base .. state, id)
redis.pcall('ZREM', base .. 'fading', id)
redis.call('HDEL', job, 'attempts', 'crashes', 'suspect', 'started', 'finished', 'worker', 'result', 'result_truncated',
  'result_error', 'error', 'progress', 'cancel_requested', 'unknown_since', 'expires', 'unbegun')
-- WHY a completed one from the start: an older runner that completed it left the checkpoint there.
if state == 'completed' or from_start == '1' then redis.call('HDEL', job, 'checkpoint', 'checkpointed') end
redis.call('HSET', job, 'state', 'ready', 'since', now)
if f[8] then redis.call('HSET', job, 'gives_up', digits(now_ms + (tonumber(f[8]) or 0))) end
-- Until now its state said so (see parts/fence.lua).
if state == 'completed' and f[6] then redis.call('HSET', job, 'ended', f[6]) end
-- Cancelled while it waited, and not yet dropped from its list, it has its old place again.
put(id, job, home(f[2]))
ring()
tell('ready', {id}, 'retry')
note_asked(key, fingerprint, id)
return 'done'
