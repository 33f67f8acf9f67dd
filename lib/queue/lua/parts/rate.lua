-- A rate: at most `limit` starts in any `per_ms`, counted by Redis' clock. `key` is a list of "<bucket>:<starts until
-- then>", the newest at the left end; a bucket is per_ms / 1000 long, so that the list has some thousand entries at
-- most. A bucket is over when its last ms lies per_ms back; the last entry that is over says from which count on starts
-- are counted. Example, 7 starts in 300 ms: {"1760000000300:9", "1760000000123:4", "1760000000000:2"}: 2 starts are
-- over, 2 were at …123, 5 at …300; none may start now.
-- @use clock
local useless = {}  -- key -> how many entries at the right end say nothing any more; of the lists read in this call.
local function bucket_ms(per_ms) return math.max(1, math.floor(per_ms / 1000)) end

local function bucket_in(entry)
  local bucket, count = string.match(entry or '', '^(%d+):(%d+)$')
  return tonumber(bucket), tonumber(count)
end

-- starts_before(key, per_ms): how many starts are over, and the first bucket that is not, or nil where all are.
local function starts_before(key, per_ms)
  local width, seen, before = bucket_ms(per_ms), 0, 0
  while true do
    local oldest = redis.call('LRANGE', key, digits(-seen - 50), digits(-seen - 1))
    for i = #oldest, 1, -1 do
      local bucket, count = bucket_in(oldest[i])
      if bucket and (bucket + 1) * width + per_ms > now_ms then return before, bucket end
      before, seen = count or before, seen + 1
      useless[key] = seen - 1
    end
    if #oldest < 50 then return before, nil end
  end
end

-- rate_room(key, limit, per_ms): how many may start now; where none may, also the ms until one may.
-- WHY a list that nobody can read counts for nothing: it would stop the queue. Where its newest bucket lies ahead, the
-- clock was set back, and it says nothing about now.
local function rate_room(key, limit, per_ms)
  useless[key] = 0
  local head = redis.pcall('LINDEX', key, '0')
  local newest, total = bucket_in(type(head) == 'string' and head)
  if not newest or newest > math.floor(now_ms / bucket_ms(per_ms)) then
    if head then useless[key] = 'all' end
    return limit
  end
  local before, first = starts_before(key, per_ms)
  local room = limit - (total - before)
  if not first then return limit end
  if room > 0 then return math.min(room, limit) end
  return 0, math.max(1, (first + 1) * bucket_ms(per_ms) + per_ms - now_ms)
end

-- rate_take(key, per_ms, starts): so many have started now. To be called behind rate_room of the same key.
local function rate_take(key, per_ms, starts)
  if starts == 0 then return end
  if useless[key] == 'all' then
    redis.call('UNLINK', key)
  elseif useless[key] > 0 then
    redis.call('LTRIM', key, '0', digits(-1 - useless[key]))
  end
  useless[key] = 0
  local bucket = math.floor(now_ms / bucket_ms(per_ms))
  local newest, total = bucket_in(redis.call('LINDEX', key, '0') or nil)
  if not newest then redis.call('LPUSH', key, '0:0') end
  local entry = digits(bucket) .. ':' .. digits((total or 0) + starts)
  if newest == bucket then redis.call('LSET', key, '0', entry) else redis.call('LPUSH', key, entry) end
  redis.call('PEXPIRE', key, digits(2 * per_ms + 1000))
end

-- rate_in(text): limit and per_ms of a rate as a setting has it, '100/60000'; nil for anything else.
local function rate_in(text)
  local limit, per_ms = string.match(text or '', '^(%d+)/(%d+)$')
  if limit then return tonumber(limit), math.max(1, tonumber(per_ms)) end
end
