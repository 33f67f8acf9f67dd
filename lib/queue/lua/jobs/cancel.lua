#!lua flags=allow-oom
-- cancel.lua: cancel jobs that wait, and request the runners of jobs that run to stop them.
-- KEYS 1 base
-- ARGV for each job, 200 at most: its id, '1' where a handler that runs gets no time to stop by itself or '', the
--      idempotency key or '', the fingerprint of the request, how it was seen (parts/as_seen.lua)
-- RETURNS a word a job: 'done' | 'requested' | 'replayed' | 'conflict' (parts/idempotency.lua) | 'changed': it is not
--      as it was seen | the state that does not allow it | '' there is no such job. A job that comes twice is answered
--      twice as at first.
-- @transition ready --cancel--> cancelled
-- @transition delayed --cancel--> cancelled
-- @transition blocked --cancel--> cancelled
-- @use as_seen clock check_types conclude idempotency notices outside slots take_out
-- WHY a forced one is noted as '!<id>' beside '<id>': an older runner knows no such id, and stops the job as ever.
-- WHY all jobs are read before one is changed: where somebody broke one, the others are as they were.
-- WHY a blocked workflow is only requested to stop: it ends when the last of its jobs has. The process that next has
-- the workflow ask (asking.lua) cancels its jobs. WHY not so where all of them have ended before it has begun: no word
-- of theirs would come any more. It would wait until an outer workflow is open, and that one, which is to stop, for it.
local WORDS = {ready = 'done', delayed = 'done', blocked = 'done', active = 'requested'}

-- Does the workflow wait for a job of its own?
local function has_open_job(id)
  return (tonumber(redis.call('HGET', base .. 'parents:' .. id, '@open') or 0) or 0) > 0
end

-- The answer for a job, `word`, and what the rest of the script needs of its record.
local function decide(id, key, fingerprint, seen)
  local state, priority, suspect, group, runner, stale_in, joins = unpack(
    redis.call('HMGET', base .. 'job:' .. id, 'state', 'priority', 'suspect', 'group', 'worker', 'listed', 'joins'))
  local word = not state and '' or asked_before(key, fingerprint)
    or (is_as_seen(seen, state) and (WORDS[state] or state)) or 'changed'
  local is_workflow = word == 'done' and joins and state == 'blocked' and has_open_job(id)
  if is_workflow then word = 'requested' end
  return {
    word = word, state = state, priority = priority, suspect = suspect, group = group, runner = runner,
    stale_in = stale_in, is_workflow = is_workflow,
  }
end

-- Where the record names no runner, a person wrote the state by hand, and nobody reads the request.
local function request_stop(id, found, is_forced)
  redis.call('HSETNX', base .. 'job:' .. id, 'cancel_requested', now)
  if found.is_workflow then return redis.call('ZADD', base .. 'unsure', 0, id) end
  local cancels = base .. 'cancels:' .. (found.runner or '')
  redis.call('SADD', cancels, id)
  if is_forced then redis.call('SADD', cancels, '!' .. id) end
  redis.call('EXPIRE', cancels, 3600)
end

local jobs, waiting, answers = {}, {}, {}
for i = 1, #ARGV, 5 do
  local id, key, fingerprint, seen = ARGV[i], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  if not jobs[id] then
    jobs[id] = decide(id, key, fingerprint, seen)
    if jobs[id].word == 'done' then waiting[#waiting + 1] = id end
  end
  answers[#answers + 1] = jobs[id].word
end

if #waiting > 0 then
  check_types('ZCARD', 'cancelled', 'delayed', 'blocked', 'unsure', 'outside')
  has_followers()
end
for _, id in ipairs(waiting) do
  local found = jobs[id]
  local is_out = found.state == 'blocked' and come_in(id, found.group)
  if not is_out then
    take_out(id, base .. 'job:' .. id, found.state, found.priority, found.suspect, found.group, found.stale_in)
  end
end
conclude('cancelled', waiting, 'cancel')
give_slots_back()
for i = 1, #ARGV, 5 do
  local id, is_forced, key, fingerprint = ARGV[i], ARGV[i + 1] == '1', ARGV[i + 2], ARGV[i + 3]
  local word = jobs[id].word
  if word == 'requested' then request_stop(id, jobs[id], is_forced) end
  if word == 'done' or word == 'requested' then note_asked(key, fingerprint, id) end
end
return answers
