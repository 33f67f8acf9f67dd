#!lua flags=no-writes
-- explain.lua: where a job stands, and all that decides when it runs. lib/jobs/explanation.py says what that means.
-- KEYS 1 base
-- ARGV 1 id  2 most ids of the job's list to search for it, from the end that is next  3 most ids before it to look
--      into  4 lease in ms of a runner whose registration names none
-- RETURNS {} where there is no such job | {name, value, name, value …}, of these names:
--      record         the job's record, a text of parts/record_text.lua
--      now            Redis' clock (ms)
--      suspect paused   '1' where the job waits to run alone | where the queue is paused; else ''
--      unknown_since  ms since which no runner knows the job's type, or ''
--      blocked_since  ms since which the job is blocked, or ''
--      runners slots  how many living runners may take the job, and how many jobs at once all of them run
--      beat           ms of the last beat of the runner that claimed the job last, or ''
--      ended          how many jobs of the queue ended in the last minute, '' for none
--      before         how many jobs are claimed before this one, or ''; and how exactly that is known:
--      precision      'exact' | 'most': among them may be jobs that were cancelled where they stood | 'least': the job
--                     was not among the ids that were searched | 'taken': a runner has popped its id, and claims it
--                     now | 'none': the job is not ready, or stands in no list
-- @use alive clock isolation pace queue_settings ready_list record_text stale_ids
-- WHY two bounds: to search 10,000 ids takes Redis half a millisecond; to look into the records of 1,000 takes two.
local id, most_searched, most_looked_into, lease_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local job = base .. 'job:' .. id
-- List -> those that claim.lua empties before it.
local CLAIMED_BEFORE = {['ready:normal'] = {'ready:high'}, ['ready:low'] = {'ready:high', 'ready:normal'}}

local record = record_text(id)
if record == '' then return {} end
local state, priority, suspect, unknown_since, worker =
  unpack(redis.call('HMGET', job, 'state', 'priority', 'suspect', 'unknown_since', 'worker'))

-- How many of the last `most` ids of a list are ready jobs that are to be claimed from there.
local function jobs_in(list, most)
  local count = 0
  if most == 0 then return count end
  for _, other in ipairs(redis.call('LRANGE', base .. list, -most, -1)) do
    local other_state, stale_in = unpack(redis.pcall('HMGET', base .. 'job:' .. other, 'state', 'listed'))
    if other_state == 'ready' and not is_stale_in(stale_in, list) then count = count + 1 end
  end
  return count
end

-- Has a runner popped this id?
local function is_popped()
  for _, runner in ipairs(redis.call('HKEYS', base .. 'workers')) do
    if redis.call('LPOS', base .. 'active:' .. runner, id) then return true end
  end
  return false
end

-- `before` and `precision` of the reply.
local function place()
  if state ~= 'ready' then return '', 'none' end
  local list = ready_list(priority, suspect or nil)
  local length = redis.call('LLEN', base .. list)
  local at = redis.call('LPOS', base .. list, id, 'RANK', -1, 'MAXLEN', most_searched)
  if not at and is_popped() then return 0, 'taken' end
  if not at and length <= most_searched then return '', 'none' end
  local own = at and length - 1 - at or most_searched
  local total = own
  for _, earlier in ipairs(CLAIMED_BEFORE[list] or {}) do total = total + redis.call('LLEN', base .. earlier) end
  if not at then return total, 'least' end
  if total > most_looked_into then return total, 'most' end
  local count = jobs_in(list, own)
  for _, earlier in ipairs(CLAIMED_BEFORE[list] or {}) do count = count + jobs_in(earlier, most_looked_into) end
  return count, 'exact'
end

-- `runners` and `slots` of the reply. An isolation runner takes suspects alone, and others start one where one waits.
local function living()
  local runners, slots = 0, 0
  local registered = redis.call('HGETALL', base .. 'workers')
  for i = 1, #registered, 2 do
    local runner, about = registered[i], registered[i + 1]
    local may_take = suspect or not is_isolation_runner(runner)
    if may_take and is_alive(about, redis.call('HGET', base .. 'beats', runner), lease_ms) then
      runners = runners + 1
      slots = slots + (tonumber(string.match(about, '"concurrency":(%d+)')) or 1)
    end
  end
  return runners, slots
end

local before, precision = place()
local runners, slots = living()
local ended = ended_in_a_minute()
local beat = worker and redis.call('HGET', base .. 'beats', worker)
return {
  'record', record,
  'now', now,
  'suspect', suspect and '1' or '',
  'paused', queue_settings('paused') and '1' or '',
  'unknown_since', unknown_since or '',
  'blocked_since', state == 'blocked' and score_in('blocked', id) or '',
  'runners', runners,
  'slots', slots,
  'beat', beat and string.match(beat, ':(%d+)$') or '',
  'ended', ended > 0 and digits(math.ceil(ended)) or '',
  'before', before,
  'precision', precision,
}
