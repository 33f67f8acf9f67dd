-- note_outcome(key, slot, outcome, about): what became of a slot, as the first of the schedule's last ten. slot: ms, or
-- '' for a run that somebody asked for. outcome and about: 'fired' or 'run' and the job's id; 'skipped' and the id of
-- the job that still lives; 'crowded' and the id of the last of so many jobs that no more may wait; 'missed' and how
-- many slots there were. key: the schedule's. A job that was queued is also the first of the last ten in `runs`.
-- Examples of the fields: outcomes '1760000000123\0311760000000000\031fired\031reports-01a2…\030',
-- runs '1760000000123\031reports-01a2…\030'.
-- WHY `runs` too: where a run takes long, the next ten slots may all be skipped.
-- @use clock find
local MOST_OUTCOMES = 10
local function put_first(key, field, row)
  local rows = row .. '\30' .. (redis.call('HGET', key, field) or '')
  local stop = 0
  for _ = 1, MOST_OUTCOMES do stop = find(rows, '\30', stop + 1, true) or stop end
  redis.call('HSET', key, field, string.sub(rows, 1, stop))
end

local function note_outcome(key, slot, outcome, about)
  put_first(key, 'outcomes', table.concat({now, slot, outcome, about}, '\31'))
  if outcome == 'fired' or outcome == 'run' then put_first(key, 'runs', now .. '\31' .. about) end
end
