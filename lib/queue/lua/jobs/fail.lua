#!lua flags=allow-oom
-- fail.lua: end attempts that went wrong: the job comes back after its delay, or is dead.
-- KEYS 1 base
-- ARGV 1 runner  2 records: id, token, delay in ms, or '' for dead, and behind it an 'h' where the job's group rests
--      until then, and an 's' with a short text where the attempt is a strike against the group (parts/strikes.lua), as
--      in '30000sLinkLost: api.example.com:443 …'; error (JSON) with last words (parts/last_words.lua)
-- RETURNS as finish.lua
-- @transition active --fail--> delayed
-- @transition active --fail--> dead
-- @transition active --fail--> cancelled
-- @use clock check_types cancel_request conclude delay end_attempts history last_words notes tally type_of_job types
-- @use lines notices strike note_error
local runner, records = ARGV[1], ARGV[2]

check_types('ZCARD', 'dead', 'cancelled')
has_followers()
local dead, fields, retried_types = {}, {}, {}
local function fail(id, token, option, rest)
  local job = base .. 'job:' .. id
  local delay_ms, hold, is_strike, words = string.match(option, '^(%d*)(h?)(s?)(.*)$')
  local error_text, last_words = split_last_words(rest)
  keep_notes(id, job, token, last_words)
  if is_strike ~= '' then
    local group, started = unpack(redis.call('HMGET', job, 'group', 'started'))
    strike(group, started, id, words)
  end
  if cancel_if_requested(id, job, delay_ms ~= '', 'ended', token, 'error', error_text) then return end
  if delay_ms == '' then
    dead[#dead + 1] = id
    fields[id] = {'ended', token, 'error', error_text}
    return
  end
  local due_ms = now_ms + tonumber(delay_ms)
  remember(job, 'retried', error_text, nil, due_ms)
  redis.call('HDEL', job, 'unknown_since')
  delay(id, job, due_ms, 'ended', token, 'error', error_text)
  if hold ~= '' then lines().hold(redis.call('HGET', job, 'group'), due_ms, id) end
  local type_name = type_of_job(job)
  add_one(retried_types, type_name)
  note_error('retried', type_name, error_text, id)
end

local answers = end_attempts(records, runner, fail)
conclude('dead', dead, 'fail', fields)
publish_delayed('fail')
tally('retried', retried_types)
return answers .. (notices_given > 0 and '+' or '')
