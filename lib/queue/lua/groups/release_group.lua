#!lua flags=allow-oom
-- release_group.lua: end the hold of a group now.
-- KEYS 1 base
-- ARGV 1 group  2 idempotency key, or ''  3 fingerprint of the request
-- RETURNS 'done' | 'replayed' | 'conflict' (parts/idempotency.lua) | 'missing': the group is not held
-- @use idempotency lines
local group, key, fingerprint = ARGV[1], ARGV[2], ARGV[3]
local before = asked_before(key, fingerprint)
if before then return before end
if redis.call('HDEL', base .. 'held', group) == 0 then return 'missing' end
lines().start(group)
note_asked(key, fingerprint, group)
return 'done'
