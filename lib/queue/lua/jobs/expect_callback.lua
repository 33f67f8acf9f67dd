#!lua flags=allow-oom
-- expect_callback.lua: from now on a callback with this secret may end the attempt. To be called before the request
-- leaves, for the callback may come sooner than the answer to the request.
-- KEYS 1 base
-- ARGV 1 id  2 token of the attempt  3 sha256 of the secret, in hex
-- RETURNS 1 done | 0 the attempt has ended, nothing changed
-- @use callback_token
local id, token, sha256 = ARGV[1], ARGV[2], ARGV[3]
local job = base .. 'job:' .. id
local state, claims = unpack(redis.call('HMGET', job, 'state', 'claims'))
if state ~= 'active' or claims ~= token then return 0 end
new_callback_token(job, token, sha256, '-')
return 1
