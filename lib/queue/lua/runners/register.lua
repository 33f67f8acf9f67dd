#!lua flags=allow-oom
-- register.lua: a runner serves this queue from now on.
-- KEYS 1 base
-- ARGV 1 runner  2 about it (JSON), as {"host":"a","pid":7,"concurrency":10,"lease_s":30}
-- RETURNS 'registered'
-- @use clock numbers
local runner, about = ARGV[1], ARGV[2]
redis.call('HSET', base .. 'workers', runner, about)
redis.call('HSET', base .. 'beats', runner, '0:' .. now_ms)
redis.call('ZREM', base .. 'graves', runner)
redis.pcall('HDEL', base .. 'epitaphs', runner)
publish_numbers('register')
return 'registered'
