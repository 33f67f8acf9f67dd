-- A schedule is the hash schedule:<name>. Each schedule of the queue stands in the sorted set `slots`, with the ms at
-- which its next slot is due, or with +inf while it has none: it is paused, or has ended. lib/queue/keys.py has the
-- fields of the hash.
-- @use clock
local function schedule_key(name) return base .. 'schedule:' .. name end

-- set_next_slot(name, due, slot, wall): the slot that the schedule has next; all three are '' for none. Nothing else
-- says when a schedule is due.
local function set_next_slot(name, due, slot, wall)
  redis.call('ZADD', base .. 'slots', due == '' and '+inf' or due, name)
  redis.call('HSET', schedule_key(name), 'slot', slot, 'wall', wall)
end

-- slot_wait(due_ms): ms until then as text, '0' where due_ms is over; '' where due_ms is nil.
-- WHY format: Lua would write 15 digits as 2.5e+14.
local function slot_wait(due_ms)
  return due_ms and string.format('%.0f', math.max(0, math.ceil(due_ms - now_ms))) or ''
end
