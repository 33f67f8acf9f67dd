#!lua flags=allow-oom
-- release.lua: give jobs back unfinished, to the front; the attempt is given back, the claim is not.
-- KEYS 1 base
-- ARGV 1 worker  2 records: id, token, 'n' where it was not even begun or '', '' and what it said
--      last (parts/notes.lua)
-- RETURNS a letter for each: 1 done | 0 not the owner, nothing changed
-- @transition active --release--> ready
-- @transition active --release--> cancelled
-- @use clock records check_types bell cancel_request events fence history isolation notes stale_ids unbegun
-- WHY a suspect stays one: among others it would take them down with it, at each stop of its isolation runner anew.
local worker, records = ARGV[1], ARGV[2]

sound('LLEN', 'ready:high', 'ready:normal', 'ready:low', 'suspects')
sound('ZCARD', 'cancelled')
local answers, given_back = {}, {}
for id, token, not_begun, rest in each_record(records) do
  local verdict = own(id, token, worker)
  local job = base .. 'job:' .. id
  local _, last_words = parted(rest)
  if verdict == 'mine' then keep_notes(id, job, token, last_words) end
  if verdict == 'mine' and not stop_if_asked(job, id, token) then
    if not_begun == '' then
      remember(job, 'released')
      redis.call('HDEL', job, 'unknown_since')
    else
      expire_on(id, job, token)
    end
    redis.pcall('HINCRBY', job, 'attempts', -1)
    redis.call('HSET', job, 'state', 'ready', 'ended', token, 'since', now)
    given_back[#given_back + 1] = id
    -- RPUSH, not LPUSH: a job given back is next, not last (claim takes the right end).
    if is_alone(worker) then
      back_to_suspects(id, job)
    else
      redis.call('RPUSH', base .. home(redis.call('HGET', job, 'priority')), id)
    end
  end
  answers[#answers + 1] = ANSWER[verdict]
end

if #given_back > 0 then ring() end
tell('ready', given_back, 'release')
return table.concat(answers)
