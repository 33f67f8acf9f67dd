#!lua flags=allow-oom
-- adjust.lua: set what holds for a queue as a whole.
-- KEYS 1 base
-- ARGV 1 queue  2 idempotency key, or ''  3 fingerprint of the request  4… name, value; '' for a value takes the setting away
-- RETURNS 'done' | 'replayed' | 'conflict' (see parts/idempotency.lua), and then nothing was changed
-- @use idempotency
-- WHY nobody is woken: a runner that is held back asks again within 250 ms.
local queue, key, fingerprint = ARGV[1], ARGV[2], ARGV[3]

local before = asked_before(key, fingerprint)
if before then return before end
for i = 4, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', base .. 'meta', ARGV[i])
  else
    redis.call('HSET', base .. 'meta', ARGV[i], ARGV[i + 1])
  end
end
note_asked(key, fingerprint, queue)
return 'done'
