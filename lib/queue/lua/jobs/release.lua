#!lua flags=allow-oom
-- release.lua: give jobs back unfinished, to the front of their lists. The attempt does not count, but the claim
-- does: its token stays used.
-- KEYS 1 base
-- ARGV 1 runner  2 records: id, token, 'n' where the handler was not even started or '', last words
--      (parts/last_words.lua)
-- RETURNS as finish.lua
-- @transition active --release--> ready
-- @transition active --release--> cancelled
-- @use clock check_types cancel_request end_attempts give_back history isolation last_words make_ready notes lines
-- @use ready_list unbegun notices
-- WHY a suspect stays a suspect: else each stop of its isolation runner would put it among jobs that it may kill.
local runner, records = ARGV[1], ARGV[2]
local is_isolated = is_isolation_runner(runner)

check_types('LLEN', 'ready:high', 'ready:normal', 'ready:low', 'suspects')
check_types('ZCARD', 'cancelled')
has_followers()
local function release(id, token, option, rest)
  local job = base .. 'job:' .. id
  local _, last_words = split_last_words(rest)
  keep_notes(id, job, token, last_words)
  if cancel_if_requested(id, job, true, 'ended', token) then return end
  if option == 'n' then
    keep_expiring(id, job, token)
  else
    remember(job, 'released')
    redis.call('HDEL', job, 'unknown_since')
  end
  redis.pcall('HINCRBY', job, 'attempts', -1)
  if is_isolated then
    if redis.call('HGET', job, 'group') then lines().use_rations() end
    give_back(id, job, ready_list(nil, true), 'since', now, 'ended', token, 'suspect', '1')
  else
    local priority, group = unpack(redis.call('HMGET', job, 'priority', 'group'))
    give_back(id, job, ready_list(priority, nil, group), 'since', now, 'ended', token)
  end
end

local answers = end_attempts(records, runner, release)
publish_ready('release')
return answers .. (notices_given > 0 and '+' or '')
