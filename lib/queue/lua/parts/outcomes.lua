-- note_outcome(key, slot, outcome, about): what became of a slot, as the first of the schedule's last ten. slot: ms, or
-- '' for a run that somebody asked for. outcome and about: 'fired' or 'run' and the job's id; 'skipped' and the id of
-- the job that still lives; 'crowded' and the id of the last of so many jobs that no more may wait; 'missed' and how
-- many slots there were. key: the schedule's.
-- Example of the field: '1760000000123\0311760000000000\031fired\031reports-01a2…\030'.
-- @use clock find
local MOST_OUTCOMES = 10
local function note_outcome(key, slot, outcome, about)
  local rows = redis.call('HGET', key, 'outcomes') or ''
  rows = table.concat({now, slot, outcome, about}, '\31') .. '\30' .. rows
  local stop = 0
  for _ = 1, MOST_OUTCOMES do stop = find(rows, '\30', stop + 1, true) or stop end
  redis.call('HSET', key, 'outcomes', string.sub(rows, 1, stop))
end
