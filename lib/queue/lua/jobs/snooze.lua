#!lua flags=allow-oom
-- snooze.lua: put jobs off without a failure. The attempt does not count, but the claim does: its token stays used.
-- KEYS 1 base
-- ARGV 1 runner  2 records: id, token, delay in ms, with a 'u' behind it where the runner knows no handler for the
--      job's type and an 'h' where the job's group rests until then, reason (JSON) with last words
--      (parts/last_words.lua)
-- RETURNS as finish.lua
-- @transition active --snooze--> delayed
-- @transition active --snooze--> cancelled
-- @use clock check_types cancel_request delay end_attempts history last_words notes unbegun lines notices
local runner, records = ARGV[1], ARGV[2]

check_types('ZCARD', 'cancelled')
has_followers()
local function snooze(id, token, option, rest)
  local job = base .. 'job:' .. id
  local reason, last_words = split_last_words(rest)
  keep_notes(id, job, token, last_words)
  if cancel_if_requested(id, job, true, 'ended', token) then return end
  local due_ms = now_ms + tonumber(string.match(option, '^%d+'))
  remember(job, 'snoozed', reason, nil, due_ms)
  if string.sub(option, -1) == 'u' then
    redis.call('HSETNX', job, 'unknown_since', now)
    keep_expiring(id, job, token)
  else
    redis.call('HDEL', job, 'unknown_since')
  end
  redis.pcall('HINCRBY', job, 'attempts', -1)
  delay(id, job, due_ms, 'ended', token)
  if string.sub(option, -1) == 'h' then lines().hold(redis.call('HGET', job, 'group'), due_ms, id) end
end

local answers = end_attempts(records, runner, snooze)
publish_delayed('snooze')
return answers .. (notices_given > 0 and '+' or '')
