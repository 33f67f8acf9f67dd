#!lua flags=allow-oom
-- limit_group.lua: give one group limits of its own, or take them away.
-- KEYS 1 base
-- ARGV 1 group  2 its limits, '<concurrency>|<starts>/<ms>|<1 if paused>' as in '5|100/60000|': an empty part is as for
--      all groups of the queue; '' takes them away  3 the limits that the caller has seen, '' for none; left out: any
-- RETURNS 'done' | 'missing': there were no limits to take away | 'changed': the group has others than the caller has
--      seen, and nothing was changed
-- @use lines
local group, limits, seen = ARGV[1], ARGV[2], ARGV[3]
if seen and (redis.call('HGET', base .. 'limits', group) or '') ~= seen then return 'changed' end
if limits == '' then
  if redis.call('HDEL', base .. 'limits', group) == 0 then return 'missing' end
else
  redis.call('HSET', base .. 'limits', group, limits)
end
-- The next claim looks whether it may run now, and stops it again if not. A group that its job holds rests on.
if redis.call('HEXISTS', base .. 'held', group) == 0 then lines().start(group) end
return 'done'
