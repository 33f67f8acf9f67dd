#!lua flags=allow-oom
-- name.lua: say that these queues are there, and that somebody begins to use them.
-- KEYS 1 base: the set of the queues' names
-- ARGV 1 the sorted set of when each of them was last named, in the same slot  2… queues
-- RETURNS 'named'
-- @use clock
-- WHY the time: upkeep looks at once at a queue that is used, and at the others now and then (see rota.py).
-- WHY pcall: where somebody broke that set, a queue is looked at later, and its name is there all the same.
for i = 2, #ARGV do
  redis.call('SADD', base, ARGV[i])
  redis.pcall('ZADD', ARGV[1], now, ARGV[i])
end
return 'named'
