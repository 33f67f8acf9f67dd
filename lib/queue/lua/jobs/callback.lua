#!lua flags=allow-oom
-- callback.lua: a service that has taken a job's work says what became of it. The runner that sent the job there may
-- not have heard that it was taken (the job is active then): what that runner says later is answered as a call that was
-- sent again (parts/fence.lua).
-- KEYS 1 base
-- ARGV 1 id  2 token of the attempt  3 sha256 of the secret, in hex  4 'completed' | 'failed' | 'extend'
--      5 the result, the error or the progress (JSON), or ''
--      6 failed: ms until the next attempt, or '' for none; extend: ms from now in which the callback must come, unless
--      its deadline is later already
-- RETURNS {word, the job's state, '+' where others are to be told that it has ended, or ''}. word: 'done'
--      | 'again': the same came before | 'gone': this attempt is not to be ended by a callback any more
--      | 'unknown': there is no such job, or the secret is another one
-- @transition active --callback--> completed
-- @transition active --callback--> delayed
-- @transition active --callback--> dead
-- @transition active --callback--> cancelled
-- @transition blocked --callback--> completed
-- @transition blocked --callback--> delayed
-- @transition blocked --callback--> dead
-- @transition blocked --callback--> cancelled
-- @use callback_token cancel_request check_types clock conclude delay history notices outside slots tally type_of_job
-- @use is_outside strike note_error
-- WHY `==` for the secret: Lua keeps equal strings once, and compares addresses. What is compared is a hash besides.
local id, token, sha256, verb, text, ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local job = base .. 'job:' .. id
local WORDS = {completed = 'c', failed = 'f'}

local state, known, runner, claims, group =
  unpack(redis.call('HMGET', job, 'state', 'callback_token', 'worker', 'claims', 'group'))
local own_token, own_sha256, word = read_callback_token(known)
if not state or not own_token then return {'unknown', '', ''} end
if own_token ~= token or own_sha256 ~= sha256 then
  return {has_sent(job, sha256) and 'gone' or 'unknown', state, ''}
end
if word == 'c' or word == 'f' then return {WORDS[verb] == word and 'again' or 'gone', state, ''} end

local runs = state == 'active' and claims == token
local waits = state == 'blocked' and is_outside(id)
if not runs and not waits then return {'gone', state, ''} end

if verb == 'extend' then
  local known_ms = waits and redis.call('ZSCORE', base .. 'outside', id) or string.match(word, '^e(%d+)$')
  local until_ms = digits(math.max(now_ms + tonumber(ms), tonumber(known_ms or 0)))
  if waits then
    redis.call('ZADD', base .. 'outside', until_ms, id)
  else
    write_callback_token(job, token, sha256, 'e' .. until_ms)
  end
  if text ~= '' then redis.call('HSET', job, 'progress', text) end
  return {'done', state, ''}
end

check_types('ZCARD', 'completed', 'dead', 'cancelled', 'blocked')
has_followers()
if waits then
  come_in(id, group)
else
  redis.call('LREM', base .. 'active:' .. runner, '-1', id)
  redis.call('HDEL', job, 'unknown_since')
  leave(id, group)
end
write_callback_token(job, token, sha256, WORDS[verb])
if verb == 'completed' then
  local fields = {'ended', token}
  if text ~= '' then fields = {'ended', token, 'result', text} end
  conclude('completed', {id}, 'callback', {[id] = fields})
elseif cancel_if_requested(id, job, ms ~= '', 'ended', token, 'error', text) then
  state = 'cancelled'
elseif ms == '' then
  conclude('dead', {id}, 'callback', {[id] = {'ended', token, 'error', text}})
else
  local due_ms = now_ms + tonumber(ms)
  remember(job, 'retried', text, nil, due_ms)
  delay(id, job, due_ms, 'ended', token, 'error', text)
  local type_name = type_of_job(job)
  tally('retried', {[type_name] = 1})
  note_error('retried', type_name, text, id)
end
give_slots_back()
-- Whoever calls back is there.
if group and group ~= '' then end_strikes(group) end
publish_delayed('callback')
return {'done', redis.call('HGET', job, 'state'), notices_given > 0 and '+' or ''}
