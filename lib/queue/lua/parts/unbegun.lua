-- `unbegun` decides whether a job with expires_in_s may still expire, and whether one of the unique mode replace or
-- debounce is changed where it stands: only where its handler never started. A claim
-- that is given back before the handler starts copies its number from `claims` to `unbegun`, provided that every
-- claim before it was given back so too. A job has never started where it has no `claims`, or where `unbegun` equals
-- `claims`. Later attempts are retries, and a retry does not expire. A job of a version that wrote no `unbegun`
-- counts as started from its first claim on.
-- keep_expiring(id, job, token): the claim `token` was given back before its handler started. Where no claim before it
-- started the handler, the job may still expire.
-- @use clock
local function keep_expiring(id, job, token)
  local expires, unbegun, unique_mode = unpack(redis.call('HMGET', job, 'expires', 'unbegun', 'unique_mode'))
  if not (expires or unique_mode) or (unbegun or '0') ~= digits((tonumber(token) or 0) - 1) then return end
  redis.call('HSET', job, 'unbegun', token)
  if expires then redis.pcall('ZADD', base .. 'expiring', expires, id) end
end
