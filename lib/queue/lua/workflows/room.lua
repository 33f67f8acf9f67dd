#!lua flags=no-writes
-- room.lua: is there room in the queue for so many jobs of a graph?
-- KEYS 1 base
-- ARGV 1 how many jobs
-- RETURNS '' yes | seconds until there may be
-- @use depth queue_settings
-- WHY blocked jobs count here, and in no other place: each of them is ready one day, and is not refused then.
local max_depth = tonumber(queue_settings('max_depth') or nil)
if not max_depth then return '' end
local over = depth() + redis.call('ZCARD', base .. 'blocked') + tonumber(ARGV[1]) - max_depth
return over > 0 and tostring(drained_in_s(over)) or ''
