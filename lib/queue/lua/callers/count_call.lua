#!lua flags=allow-oom
-- count_call.lua: count one request of a caller against its rate, for all servers at once.
-- KEYS 1 base: the caller's key   ARGV 1 requests   2 seconds in which so many come back
-- RETURNS {1 taken | 0 refused (nothing changed), requests left, µs until the next one, µs until all are back}
-- WHY one number, the time at which all are back (GCRA): it needs no list of requests and no window with an edge at
-- which twice as many pass. Whole µs, so that nothing is lost by rounding.
local limit, every_us = tonumber(ARGV[1]), math.ceil(ARGV[2] * 1000000 / ARGV[1])
local clock = redis.call('TIME')
local now_us = clock[1] * 1000000 + clock[2]
local back_us = math.max(now_us, tonumber(redis.pcall('GET', base)) or 0)
local missing = back_us + every_us - now_us
local early_us = missing - limit * every_us
if early_us > 0 then return {0, 0, early_us, missing - every_us} end
redis.call('SET', base, string.format('%.0f', back_us + every_us), 'PX', math.ceil(missing / 1000))
local left = math.floor(-early_us / every_us)
return {1, left, left > 0 and 0 or early_us + every_us, missing}
