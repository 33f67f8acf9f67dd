-- A schedule is the hash schedule:<name>. Each schedule of the queue stands in the sorted set `slots`, with the ms at
-- which its next slot is due, or with +inf while it has none: it is paused, or has ended. lib/queue/keys.py has the
-- fields of the hash.
local function schedule_key(name) return base .. 'schedule:' .. name end

-- set_next_slot(name, due, slot, wall): the slot that the schedule has next; all three are '' for none. Nothing else
-- says when a schedule is due.
local function set_next_slot(name, due, slot, wall)
  redis.call('ZADD', base .. 'slots', due == '' and '+inf' or due, name)
  redis.call('HSET', schedule_key(name), 'slot', slot, 'wall', wall)
end
