#!lua flags=allow-oom
-- fail.lua: end attempts that went wrong: the job comes back after its delay, or is dead.
-- KEYS 1 base
-- ARGV 1 worker  2 records: id, token, delay ms or '' for dead, error (JSON) and what it said last (parts/notes.lua)
-- RETURNS a letter for each: 1 done | 0 not the owner, nothing changed
-- @transition active --fail--> delayed
-- @transition active --fail--> dead
-- @transition active --fail--> cancelled
-- @use clock records check_types bell cancel_request events fade fence history next_due notes tally
local worker, records = ARGV[1], ARGV[2]

sound('ZCARD', 'dead', 'cancelled')
local answers, dead, again, dead_kinds, retried_kinds = {}, {}, {}, {}, {}
local before = next_due()
for id, token, delay, rest in each_record(records) do
  local verdict, retain = own(id, token, worker)
  local job = base .. 'job:' .. id
  local error_text, last_words = parted(rest)
  if verdict == 'mine' then
    redis.call('HSET', job, 'error', error_text)
    keep_notes(id, job, token, last_words)
  end
  if verdict == 'mine' and not stop_if_asked(job, id, token) then
    if delay == '' then
      redis.call('HSET', job, 'state', 'dead', 'finished', now, 'ended', token)
      redis.call('ZADD', base .. 'dead', now, id)
      fade(id, retain)
      dead[#dead + 1] = id
      add(dead_kinds, kind_of(job))
    else
      remember(job, 'retried', error_text)
      redis.call('HSET', job, 'state', 'delayed', 'ended', token)
      redis.call('HDEL', job, 'unknown_since')
      redis.call('ZADD', base .. 'delayed', now_ms + tonumber(delay), id)
      again[#again + 1] = id
      add(retried_kinds, kind_of(job))
    end
  end
  answers[#answers + 1] = ANSWER[verdict]
end

if next_due() ~= before then ring() end
announce('dead', dead, 'fail')
tell('delayed', again, 'fail')
tally('dead', dead_kinds)
tally('retried', retried_kinds)
return table.concat(answers)
