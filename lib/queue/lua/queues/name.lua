#!lua flags=allow-oom
-- name.lua: add queues to the set of queues' names, and note that somebody begins to use them.
-- KEYS 1 base: here the set of the names, wb:queues
-- ARGV 1 the sorted set, in the same slot, of queue -> ms at which it was last named  2… queues
-- RETURNS 'named'
-- @use clock
-- WHY the time: upkeep looks at once at a queue that is used, and at the others now and then (rota.py).
-- WHY pcall: where somebody broke the sorted set, upkeep comes to a queue later, and the name is in the set all the
-- same.
local moved = ARGV[1]
for i = 2, #ARGV do
  redis.call('SADD', base, ARGV[i])
  redis.pcall('ZADD', moved, now, ARGV[i])
end
return 'named'
