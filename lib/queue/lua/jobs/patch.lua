#!lua
-- patch.lua: change a job that waits: its spec, its priority, when it is due.
-- KEYS 1 base
-- ARGV 1 id  2 SHA-1 of the spec that the new one was made of  3 new spec  4 priority, or '' to leave it
--      5 'now', ms at which it is due, or '' to leave it  6 its unique key, or ''
-- RETURNS 'done' | 'changed' (its spec is another one by now; nothing was done) | the state that does not allow it
--      | '' no such job
-- @transition ready --patch--> delayed
-- @transition delayed --patch--> ready
-- @use clock check_types bell events next_due stale_ids tally text_at unique_key
-- WHY no list is searched: the id stays where it stood, is noted as left there, and claim drops it (see parts/stale_ids.lua).
-- WHY no allow-oom: a spec may grow; refused up front at maxmemory, before anything is written.
local id, seen, spec, priority, due, unique_key = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local job = base .. 'job:' .. id
local f = redis.call('HMGET', job, 'state', 'spec', 'priority', 'suspect', 'unique_ttl', 'patience')
local state = f[1]

if not state then return '' end
if state ~= 'ready' and state ~= 'delayed' then return state end
if not f[2] or redis.sha1hex(f[2]) ~= seen then return 'changed' end

sound('LLEN', 'ready:high', 'ready:normal', 'ready:low', 'suspects')
local before = next_due()
local from = home(f[3], f[4])
local due_ms = due == 'now' and now_ms or tonumber(due)
local is_later = due_ms and due_ms > now_ms

redis.call('HSET', job, 'spec', spec)
redis.call('HDEL', job, 'unknown_since')
-- It is given up so long behind its time, and that is another one now.
if due_ms and f[6] then redis.call('HSET', job, 'gives_up', digits(math.max(due_ms, now_ms) + (tonumber(f[6]) or 0))) end
if priority ~= '' then redis.call('HSET', job, 'priority', priority) end
local to = home(priority ~= '' and priority or f[3], f[4])

-- It keeps its unique key until then, and its time beyond: else another job could come before it has begun. For a day where
-- no time is noted, as in retry.lua.
local function hold()
  local ttl_ms = tonumber(string.match(f[5] or '', '^[1-9]%d*$') or 86400000)
  for _, key in ipairs({unique_keys(unique_key, kind_of(job))}) do
    if text_at(key) == id then redis.call('SET', key, id, 'PX', digits(due_ms - now_ms + ttl_ms)) end
  end
end

if is_later then
  if unique_key ~= '' then hold() end
  if state == 'ready' then leave(job, from) end
  if f[4] then redis.call('HDEL', job, 'suspect') end
  redis.call('HSET', job, 'state', 'delayed')
  redis.call('ZADD', base .. 'delayed', due_ms, id)
  if state == 'ready' then tell('delayed', {id}, 'patch') end
elseif state == 'delayed' and due_ms then
  redis.call('ZREM', base .. 'delayed', id)
  redis.call('HSET', job, 'state', 'ready', 'since', now)
  put(id, job, to)
  tell('ready', {id}, 'patch')
elseif state == 'ready' and to ~= from then
  leave(job, from)
  put(id, job, to)
end

if to ~= 'ready:normal' or next_due() ~= before then ring() end
return 'done'
