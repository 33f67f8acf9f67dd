#!lua flags=allow-oom
-- register.lua: a runner says that it serves this queue.
-- KEYS 1 base
-- ARGV 1 worker  2 about it (JSON)
-- RETURNS 'registered'
-- @use clock
redis.call('HSET', base .. 'workers', ARGV[1], ARGV[2])
redis.call('HSET', base .. 'beats', ARGV[1], '0:' .. now_ms)
redis.call('ZREM', base .. 'graves', ARGV[1])
return 'registered'
