#!lua flags=allow-oom
-- release_group.lua: end the hold of a group now, and its strikes (parts/strikes.lua).
-- KEYS 1 base
-- ARGV 1 group  2 idempotency key, or ''  3 fingerprint of the request
-- RETURNS 'done' | 'replayed' | 'conflict' (parts/idempotency.lua) | 'missing': the group is not held, and has no
--      strikes
-- @use idempotency lines strike
local group, key, fingerprint = ARGV[1], ARGV[2], ARGV[3]
local before = asked_before(key, fingerprint)
if before then return before end
local had_strikes = end_strikes(group)
if redis.call('HDEL', base .. 'held', group) == 0 and not had_strikes then return 'missing' end
lines().start(group)
note_asked(key, fingerprint, group)
return 'done'
