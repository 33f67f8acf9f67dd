#!lua flags=allow-oom
-- count_call.lua: count one request of a caller against RATE_LIMIT, for all servers at once.
-- KEYS 1 base: here the caller's key, wb:calls:<caller>
-- ARGV 1 how many requests a caller has  2 seconds in which so many come back
-- RETURNS {1 counted | 0 refused, nothing changed; requests left; µs until the next one; µs until all are back}
-- WHY one number, the time at which all requests are back (GCRA): it needs no list of requests, and no window at
-- whose edge twice as many pass. WHY whole µs: nothing is lost by rounding.
local limit, every_us = tonumber(ARGV[1]), math.ceil(ARGV[2] * 1000000 / ARGV[1])
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local back_us = math.max(now_us, tonumber(redis.pcall('GET', base)) or 0)
local missing_us = back_us + every_us - now_us
local early_us = missing_us - limit * every_us
if early_us > 0 then return {0, 0, early_us, missing_us - every_us} end
redis.call('SET', base, string.format('%.0f', back_us + every_us), 'PX', math.ceil(missing_us / 1000))
local left = math.floor(-early_us / every_us)
return {1, left, left > 0 and 0 or early_us + every_us, missing_us}
