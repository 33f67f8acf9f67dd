#!lua flags=allow-oom
-- adjust.lua: change settings of a queue, those of lib/jobs/queue_settings.py.
-- KEYS 1 base
-- ARGV 1 queue  2 idempotency key, or ''  3 fingerprint of the request  4… name, value, name, value …; the value ''
--      takes the setting away
-- RETURNS 'done' | 'replayed' | 'conflict' (parts/idempotency.lua), and then nothing was changed
-- @use idempotency
-- WHY no runner is woken: a runner that is held back by a pause asks again within 250 ms.
local queue, key, fingerprint = ARGV[1], ARGV[2], ARGV[3]

local before = asked_before(key, fingerprint)
if before then return before end
for i = 4, #ARGV, 2 do
  local name, value = ARGV[i], ARGV[i + 1]
  if value == '' then redis.call('HDEL', base .. 'meta', name) else redis.call('HSET', base .. 'meta', name, value) end
end
note_asked(key, fingerprint, queue)
return 'done'
