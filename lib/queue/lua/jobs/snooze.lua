#!lua flags=allow-oom
-- snooze.lua: put jobs off without a failure; the attempt is given back, the claim is not.
-- KEYS 1 base
-- ARGV 1 worker  2 records: id, token, delay ms with a 'u' behind it where no handler is known here, reason (JSON)
--      and what it said last (parts/notes.lua)
-- RETURNS a letter for each: 1 done | 0 not the owner, nothing changed
-- @transition active --snooze--> delayed
-- @transition active --snooze--> cancelled
-- @use clock records check_types bell cancel_request events fence history next_due notes unbegun
local worker, records = ARGV[1], ARGV[2]

sound('ZCARD', 'cancelled')
local answers, put_off = {}, {}
local before = next_due()
for id, token, delay, rest in each_record(records) do
  local verdict = own(id, token, worker)
  local job = base .. 'job:' .. id
  local reason, last_words = parted(rest)
  if verdict == 'mine' then keep_notes(id, job, token, last_words) end
  if verdict == 'mine' and not stop_if_asked(job, id, token) then
    remember(job, 'snoozed', reason)
    if string.sub(delay, -1) == 'u' then
      redis.call('HSETNX', job, 'unknown_since', now)
      expire_on(id, job, token)
    else
      redis.call('HDEL', job, 'unknown_since')
    end
    redis.pcall('HINCRBY', job, 'attempts', -1)
    redis.call('HSET', job, 'state', 'delayed', 'ended', token)
    redis.call('ZADD', base .. 'delayed', now_ms + tonumber(string.match(delay, '^%d+')), id)
    put_off[#put_off + 1] = id
  end
  answers[#answers + 1] = ANSWER[verdict]
end

if next_due() ~= before then ring() end
tell('delayed', put_off, 'snooze')
return table.concat(answers)
