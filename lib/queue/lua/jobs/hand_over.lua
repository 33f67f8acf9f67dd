#!lua flags=allow-oom
-- hand_over.lua: attempts go on outside: a service has taken the work, and will call back. The jobs are blocked, and
-- keep their slots in their groups.
-- KEYS 1 base
-- ARGV 1 runner  2 records: id, token, ms until the callback must have come with an 'l' behind them where no attempt
--      is left, last words (parts/last_words.lua)
-- RETURNS as finish.lua
-- @transition active --hand_over--> blocked
-- @transition active --hand_over--> cancelled
-- @use block callback_token check_types clock conclude end_attempts last_words notes notices slots strike
-- WHY a token without a secret where the handler has asked for no callback in this attempt: what the service of an
-- earlier attempt was sent must not end this one.
-- WHY a superseded job is handed over all the same: this attempt goes on, and only another one would not be made.
local runner, records = ARGV[1], ARGV[2]

check_types('ZCARD', 'blocked', 'outside', 'cancelled')
has_followers()
local cancelled, fields, out, groups = {}, {}, {}, {}
local function hand_over(id, token, option, rest, group)
  local job = base .. 'job:' .. id
  local _, last_words = split_last_words(rest)
  keep_notes(id, job, token, last_words)
  if redis.call('HGET', job, 'cancel_requested') then
    leave(id, group)
    cancelled[#cancelled + 1], fields[id] = id, {'ended', token}
    return
  end
  local claims, sha256, word = read_callback_token(redis.call('HGET', job, 'callback_token'))
  local extended_ms = claims == token and tonumber(string.match(word, '^e(%d+)$')) or 0
  local deadline_ms = math.max(now_ms + tonumber(string.match(option, '^%d+')), extended_ms)
  local new_word = string.sub(option, -1) == 'l' and 'l' or '-'
  if claims == token then
    write_callback_token(job, token, sha256, new_word)
  else
    new_callback_token(job, token, '0', new_word)
  end
  redis.call('ZADD', base .. 'outside', digits(deadline_ms), id)
  redis.call('HDEL', job, 'unknown_since')
  block(id, job, nil, 'ended', token)
  out[#out + 1], groups[id] = id, group
end

local answers = end_attempts(records, runner, hand_over, true)
conclude('cancelled', cancelled, 'cancel', fields)
end_strikes_of(out, groups)
publish_blocked('hand_over')
return answers .. (notices_given > 0 and '+' or '')
