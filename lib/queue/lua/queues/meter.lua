#!lua flags=no-writes
-- meter.lua: a queue's counters since it began.
-- KEYS 1 base
-- RETURNS {totals: `event type`, count …; timings: field, count …}, each joined by \31
-- WHY joined: a queue has a hundred of these, and each element of a reply is read by itself.
local function counters(key) return table.concat(redis.call('HGETALL', base .. key), '\31') end
return {counters('totals'), counters('timings')}
