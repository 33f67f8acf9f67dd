#!lua flags=allow-oom
-- shift.lua: another time for a schedule's next slot, where the rules of its zone have changed.
-- KEYS 1 base
-- ARGV 1 name  2 version and 3 due ms that were seen  4 due ms, 5 slot ms and 6 wall of the slot as it is to be
-- RETURNS 1 done | 0 another was quicker, or the schedule was written anew; nothing was done
-- @use schedules
local name, version, seen, due, slot, wall = unpack(ARGV)
if redis.call('ZSCORE', base .. 'slots', name) ~= seen then return 0 end
if redis.call('HGET', schedule_key(name), 'version') ~= version then return 0 end
set_next_slot(name, due, slot, wall)
return 1
