#!lua
-- schedule.lua: write a schedule: make it, or change it.
-- KEYS 1 base
-- ARGV 1 name  2 text (JSON)  3 the version that it must have, or '' where it must not be there  4 anchor, ms
--      5 'set', or 'keep' where its next slot stays  6 due ms, 7 slot ms and 8 wall of the next slot, or '' for none
--      9 most schedules of a queue  10 its digests, where a worker writes what its code declares, or ''
-- RETURNS 'changed' (it has another version, or that slot is over: nothing was done) | 'many' (the queue has as many
--      as it may have, nothing was done) | the version that it has now
-- @use clock schedules
-- WHY the version always: whoever writes has read the schedule, and worked out the next slot of what was read.
-- WHY a slot that is over is refused: the time may have come between the read and now. The next one is worked out anew,
-- or it would fire at the very tick for which the schedule as it was has fired already.
local name, text, wanted, anchor, mode, due, slot, wall = unpack(ARGV)
local key, most, code = schedule_key(name), tonumber(ARGV[9]), ARGV[10]
if (redis.call('HGET', key, 'version') or '') ~= wanted then return 'changed' end
if mode == 'set' and due ~= '' and tonumber(due) <= now_ms then return 'changed' end
if redis.call('ZCARD', base .. 'slots') >= most and wanted == '' then return 'many' end

local version = redis.call('HINCRBY', base .. 'meta', 'schedule_version', 1)
if wanted == '' then redis.call('HSET', key, 'created', now) end
redis.call('HSET', key, 'version', version, 'text', text, 'anchor', anchor, 'changed', now)
if code ~= '' then redis.call('HSET', key, 'code', code) end
if mode == 'set' then
  redis.call('HDEL', key, 'reason')
  set_next_slot(name, due, slot, wall)
end
return version
