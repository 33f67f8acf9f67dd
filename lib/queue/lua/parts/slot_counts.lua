-- What is counted of a queue's schedules since the first one: the hash `slot_counts`. Its fields: fired, skipped and
-- missed, each a number of slots; 'late 50' says how many of those that fired were late by up to 50 ms and by more than
-- the bound before, 'late inf' by more than all bounds, and 'late sum' by how many ms together. meters.py reads them.
-- WHY pcall: a counter that somebody broke must not stop a script half-way.
-- @use clock
local LATE_BOUNDS_MS = {10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 60000, 300000, 3600000}
local function count_slots(outcome, count) redis.pcall('HINCRBY', base .. 'slot_counts', outcome, count) end

-- due: ms at which the slot was due that fires now, as text.
local function count_lateness(due)
  local late_ms, fits = math.max(0, now_ms - tonumber(due)), 'inf'
  for i = #LATE_BOUNDS_MS, 1, -1 do
    if late_ms <= LATE_BOUNDS_MS[i] then fits = LATE_BOUNDS_MS[i] end
  end
  count_slots('late ' .. fits, '1')
  count_slots('late sum', digits(late_ms))
end
