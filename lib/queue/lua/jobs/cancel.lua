#!lua flags=allow-oom
-- cancel.lua: cancel a job that waits, or request the runner of a job that runs to stop the job.
-- KEYS 1 base
-- ARGV 1 id  2 '1' where a handler that runs gets no time to stop by itself, or ''  3 idempotency key, or ''
--      4 fingerprint of the request
-- RETURNS 'done' | 'requested' | 'replayed' | 'conflict' (parts/idempotency.lua) | the state that does not allow it
--      | '' there is no such job
-- @transition ready --cancel--> cancelled
-- @transition delayed --cancel--> cancelled
-- @use clock check_types conclude idempotency mark_stale ready_list
-- WHY a ready job's id stays in its list: parts/stale_ids.lua.
-- WHY a forced one is noted as '!<id>' beside '<id>': an older runner knows no such id, and stops the job as ever.
local id, is_forced, key, fingerprint = ARGV[1], ARGV[2] == '1', ARGV[3], ARGV[4]
local job = base .. 'job:' .. id
local state, priority, suspect, runner, stale_in =
  unpack(redis.call('HMGET', job, 'state', 'priority', 'suspect', 'worker', 'listed'))

if not state then return '' end
local before = asked_before(key, fingerprint)
if before then return before end
if state == 'active' then
  redis.call('HSETNX', job, 'cancel_requested', now)
  -- Where the record names no runner, a person wrote the state by hand, and nobody reads the request.
  local cancels = base .. 'cancels:' .. (runner or '')
  redis.call('SADD', cancels, id)
  if is_forced then redis.call('SADD', cancels, '!' .. id) end
  redis.call('EXPIRE', cancels, 3600)
  note_asked(key, fingerprint, id)
  return 'requested'
end
if state ~= 'ready' and state ~= 'delayed' then return state end

check_types('ZCARD', 'cancelled', 'delayed')
if state == 'ready' then
  mark_stale(job, stale_in, ready_list(priority, suspect))
else
  redis.call('ZREM', base .. 'delayed', id)
end
if suspect then redis.call('HDEL', job, 'suspect') end
conclude('cancelled', {id}, 'cancel')
note_asked(key, fingerprint, id)
return 'done'
