#!lua
-- fire.lua: take the slot of a schedule that is due: queue its job and store the next slot, in one step.
-- KEYS 1 base
-- ARGV 1 name  2 version and 3 due ms that were seen  4 due ms, 5 slot ms and 6 wall of the next slot, or '' for none
--      7 the slot that is taken, ms  8 how many slots get no job, for nothing ran when they were due
--      9 overlap: 'skip' where the slot gets no job while the last one lives, 'queue' where its job waits for those
--        that live, or 'allow'
--      10 record: id, priority, options (parts/job_options.lua), spec; '' where no slot gets a job
--      11 when the slot that is taken was due, ms
--      12 '' where the job is one by itself. Where it is the anchor of a graph: 'ask', without a record, before the
--         graph's other jobs are planted; 'planted' when they are, with the anchor's record; 'full', without a record,
--         where one of their queues has no room
-- RETURNS {'changed'}: another was quicker, or the schedule was written anew; nothing was done
--      | {'full'}: the queue is at its max_depth | {'group_full'}: the job's group is at that of groups; the slot stays
--        due in both cases | {'graph_full'}: so does it where 12 is 'full'
--      | {'plant'}, where 12 is 'ask': the slot gets its graph; nothing was done
--      | {'skipped', id of the job that lives} | {'crowded', id of the last job}: so many of its jobs live that the
--        slot gets none | {'missed'} | {'fired', id, '1' where the queue has just begun, or ''}
-- @transition - --enqueue--> ready
-- @transition - --enqueue--> delayed
-- @transition - --enqueue--> blocked
-- @use bell check_types clock depth job_options lines outcomes place_in_graph queue_settings records schedules
-- @use slot_counts states take_in types wait_behind
-- WHY no allow-oom: at maxmemory the slot stays due.
-- WHY the due time is compared: it is the slot's lock, and nobody can leave it behind. Whoever comes second finds
-- another time there.
-- WHY a job waits for all that live, and not for the last one alone: somebody may cancel that one while an earlier one
-- still runs. The schedule's field `lined_up` names them.
local MOST_WAITING = 100
local ASK_AFTER_MS = 15000  -- A workflow asks its jobs what has become of them, unless they have told it by then.
local name, version, seen, due, slot, wall, taken, missed, overlap, record, taken_due, graph = unpack(ARGV)
local key = schedule_key(name)
if redis.call('ZSCORE', base .. 'slots', name) ~= seen then return {'changed'} end
local known, last, reason, lined_up = unpack(redis.call('HMGET', key, 'version', 'last', 'reason', 'lined_up'))
if known ~= version then return {'changed'} end
check_types('ZCARD', 'all', 'delayed', 'blocked', 'unsure')
check_types('HLEN', 'followers')
check_types('LLEN', 'ready:high', 'ready:normal', 'ready:low')
if graph ~= '' then check_types('XLEN', 'notices') end
local max_depth, group_max_depth, concurrency, rate =
  queue_settings('max_depth', 'group_max_depth', 'concurrency', 'rate')
note_limits(concurrency, rate)

local id, priority, option_text, spec = each_record(record)()
local options = option_text and option_text ~= '' and read_options(option_text)
local gets_job = id or graph ~= ''
local function lives(one) return LIVES[redis.pcall('HGET', base .. 'job:' .. one, 'state')] end
local living = last and overlap == 'skip' and lives(last)

-- The jobs of this schedule that live, the last one among them even if somebody asked for that run.
local function living_jobs()
  local found, ids = {}, {}
  for one in string.gmatch((lined_up or '') .. ',' .. (last or ''), '[^,]+') do
    if not found[one] and lives(one) then ids[#ids + 1] = one end
    found[one] = true
  end
  return ids
end
local ahead = gets_job and overlap == 'queue' and living_jobs() or {}
local is_crowded = #ahead > MOST_WAITING

-- Why there is no room for the job; nil where there is.
local function why_full()
  if max_depth and depth() >= tonumber(max_depth) then return 'full' end
  local group = group_max_depth and options and options.group
  if group and lines().depth(group) >= tonumber(group_max_depth) then return 'group_full' end
end

-- A blocked job takes no room: as with max_depth, only ready and delayed jobs count.
local is_passed = living or is_crowded
local full = gets_job and not is_passed and (graph == 'full' and 'graph_full' or #ahead == 0 and why_full())
if full then
  if reason ~= full then redis.call('HSET', key, 'reason', full) end
  return {full}
end
if graph == 'ask' and not is_passed then return {'plant'} end

if reason then redis.call('HDEL', key, 'reason') end
set_next_slot(name, due, slot, wall)
if missed ~= '0' then
  redis.call('HINCRBY', key, 'missed', missed)
  note_outcome(key, taken, 'missed', missed)
  count_slots('missed', missed)
end
if not gets_job then return {'missed'} end
if is_passed then
  local word = living and 'skipped' or 'crowded'
  redis.call('HINCRBY', key, 'skipped', 1)
  note_outcome(key, taken, word, last)
  count_slots('skipped', '1')
  return {word, last}
end
if #ahead > 0 then
  options = options or {}
  for _, one in ipairs(ahead) do wait_behind(id, one, options) end
end
if overlap == 'queue' then
  ahead[#ahead + 1] = id
  redis.call('HSET', key, 'lined_up', table.concat(ahead, ','))
end
if graph ~= '' then options.ask_ms = now_ms + ASK_AFTER_MS end
take_in(id, priority, spec, type_in_spec(spec), options)
if graph ~= '' then place_in_graph(id, options) end
redis.call('HSET', key, 'last', id)
redis.call('HINCRBY', key, 'fired', 1)
note_outcome(key, taken, 'fired', id)
count_slots('fired', '1')
count_lateness(taken_due)
return {'fired', id, place_taken_in('enqueue') and '1' or ''}
