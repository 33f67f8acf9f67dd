#!lua flags=no-writes
-- meter.lua: a queue's counters since it began.
-- KEYS 1 base
-- RETURNS {totals, timings}, each a text 'name\31count\31name\31count …', as in 'enqueued email\0317\031completed
--      email\0315'
-- WHY joined: a queue has a hundred counters, and the client reads each element of a reply by itself.
local function joined(key) return table.concat(redis.call('HGETALL', base .. key), '\31') end
return {joined('totals'), joined('timings')}
