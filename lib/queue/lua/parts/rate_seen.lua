-- rate_seen(key, limit, per_ms): ms since 1970 at which a rate (rate.lua) allows the next start, where it allows none
-- now; nil where it allows one. As rate_room, and nothing is written: for a script that only looks.
-- @use clock rate
local function rate_seen(key, limit, per_ms)
  local head, width = redis.pcall('LINDEX', key, '0'), bucket_ms(per_ms)
  local newest, total = bucket_in(type(head) == 'string' and head)
  if not newest or newest > math.floor(now_ms / width) then return nil end
  local entries = redis.call('LRANGE', key, '0', '-1')
  local _, before = bucket_in(entries[#entries])
  for i = #entries - 1, 1, -1 do
    local bucket, count = bucket_in(entries[i])
    local free_ms = ((bucket or 0) + 1) * width + per_ms
    if free_ms > now_ms then return total - (before or 0) >= limit and free_ms or nil end
    before = count
  end
end
