-- `unbegun`: the last claim of a job that expires, where that one and all before it came to nothing: they were given back
-- before the handler began. So a job has never begun where it has no `claims`, or the same as `unbegun`; one of an older
-- version has none, and counts as begun from its first claim on. What follows a beginning are retries: they do not expire.
-- expire_on(id, job, token): this claim did not begin; where none did, the job still expires.
-- @use clock
local function expire_on(id, job, token)
  local f = redis.call('HMGET', job, 'expires', 'unbegun')
  if not f[1] or (f[2] or '0') ~= digits((tonumber(token) or 0) - 1) then return end
  redis.call('HSET', job, 'unbegun', token)
  redis.pcall('ZADD', base .. 'expiring', f[1], id)
end
