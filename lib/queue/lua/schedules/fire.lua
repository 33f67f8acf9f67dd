#!lua
-- fire.lua: take the slot of a schedule that is due: queue its job and store the next slot, in one step.
-- KEYS 1 base
-- ARGV 1 name  2 version and 3 due ms that were seen  4 due ms, 5 slot ms and 6 wall of the next slot, or '' for none
--      7 the slot that is taken, ms  8 how many slots get no job, for nothing ran when they were due
--      9 overlap: 'skip' where the slot gets no job while the last one lives, or 'allow'
--      10 record: id, priority, options (parts/job_options.lua), spec; '' where no slot gets a job
-- RETURNS {'changed'}: another was quicker, or the schedule was written anew; nothing was done
--      | {'full'}: the queue is at its max_depth, and the slot stays due
--      | {'skipped', id of the job that lives} | {'missed'} | {'fired', id, '1' where the queue has just begun, or ''}
-- @transition - --enqueue--> ready
-- @transition - --enqueue--> delayed
-- @use check_types depth job_options outcomes queue_settings records schedules states take_in types
-- WHY no allow-oom: at maxmemory the slot stays due.
-- WHY the due time is compared: it is the slot's lock, and nobody can leave it behind. Whoever comes second finds
-- another time there.
local name, version, seen, due, slot, wall, taken, missed, overlap, record = unpack(ARGV)
local key = schedule_key(name)
if redis.call('ZSCORE', base .. 'slots', name) ~= seen then return {'changed'} end
local known, last, reason = unpack(redis.call('HMGET', key, 'version', 'last', 'reason'))
if known ~= version then return {'changed'} end
check_types('ZCARD', 'all', 'delayed')
check_types('LLEN', 'ready:high', 'ready:normal', 'ready:low')

local living = last and LIVES[redis.pcall('HGET', base .. 'job:' .. last, 'state')] and overlap == 'skip'
local max_depth = tonumber(queue_settings('max_depth'))
if record ~= '' and not living and max_depth and depth() >= max_depth then
  if reason ~= 'queue_full' then redis.call('HSET', key, 'reason', 'queue_full') end
  return {'full'}
end

if reason then redis.call('HDEL', key, 'reason') end
set_next_slot(name, due, slot, wall)
if missed ~= '0' then
  redis.call('HINCRBY', key, 'missed', missed)
  note_outcome(key, taken, 'missed', missed)
end
if record == '' then return {'missed'} end
if living then
  redis.call('HINCRBY', key, 'skipped', 1)
  note_outcome(key, taken, 'skipped', last)
  return {'skipped', last}
end
for id, priority, option_text, spec in each_record(record) do
  take_in(id, priority, spec, type_in_spec(spec), option_text ~= '' and read_options(option_text))
  redis.call('HSET', key, 'last', id)
  redis.call('HINCRBY', key, 'fired', 1)
  note_outcome(key, taken, 'fired', id)
  return {'fired', id, place_taken_in('enqueue') and '1' or ''}
end
