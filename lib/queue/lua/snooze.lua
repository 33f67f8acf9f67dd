#!lua flags=allow-oom
-- snooze.lua: put jobs off without a failure; the attempt is given back, the claim is not.
-- KEYS 1 base
-- ARGV 1 worker  2 records: id, token, delay ms, 'u' where no handler is known here or '', reason (JSON)
-- RETURNS a letter for each: 1 done | 0 not the owner, nothing changed
-- @transition active --snooze--> delayed
-- @transition active --snooze--> cancelled
-- @use clock records tally ended ring fence history cancelled next_due
local worker, records = ARGV[1], ARGV[2]

local answers = {}
local before = wait_ms()
for id, token, delay, unknown, reason in each_record(records, '^([^\31]*)\31(%d+)\31(%d+)\31(u?)\31(.*)$') do
  local verdict = own(id, token, worker)
  local job = base .. 'job:' .. id
  if verdict == 'mine' and not stop_if_asked(job, id, token) then
    remember(job, 'snoozed', reason)
    if unknown ~= '' then redis.call('HSETNX', job, 'unknown_since', now_ms) end
    redis.call('HINCRBY', job, 'attempts', -1)
    redis.call('HSET', job, 'state', 'delayed', 'ended', token)
    redis.call('ZADD', base .. 'delayed', now_ms + tonumber(delay), id)
  end
  answers[#answers + 1] = ANSWER[verdict]
end

if wait_ms() ~= before then ring() end
return table.concat(answers)
