#!lua flags=no-writes
-- meter.lua: a queue's counters since it began.
-- KEYS 1 base
-- RETURNS {totals, timings, slot counts, how many schedules lie there, for how many ms the first slot that is due has
--      been due, or 0, how many notices lie there (parts/notices.lua), for how many ms the oldest of them has, or 0};
--      the first three are texts 'name\31count\31name\31count …', as in 'enqueued email\0317\031completed email\0315'
-- @use clock
-- WHY joined: a queue has a hundred counters, and the client reads each element of a reply by itself.
local function joined(key) return table.concat(redis.call('HGETALL', base .. key), '\31') end
local slots = base .. 'slots'
local slot_ms = tonumber(redis.call('ZRANGE', slots, 0, 0, 'WITHSCORES')[2]) or now_ms
local notices, notice_ms = redis.call('XLEN', base .. 'notices'), now_ms
for _, oldest in ipairs(redis.call('XRANGE', base .. 'notices', '-', '+', 'COUNT', 1)) do
  notice_ms = tonumber(string.match(unpack(oldest), '^%d+'))
end
return {joined('totals'), joined('timings'), joined('slot_counts'), redis.call('ZCARD', slots),
  digits(math.max(0, now_ms - slot_ms)), notices, digits(math.max(0, now_ms - notice_ms))}
