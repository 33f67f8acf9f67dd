-- period_numbers(period): what was counted in a period that is not rolled up yet, as {name, value, name, value …}:
--      period      its number (period.lua)
--      enqueued completed retried dead cancelled   how many jobs in each of its five minutes, as in '1o,1n,0,0,c'
--      wait run    how long jobs waited until they began, and how long their handlers ran, as in '4:c,0,3': twelve took
--                  up to 2^4 ms, none up to 2^5 ms, and three up to 2^6 ms
-- A value is '' where there was nothing. drop_period(period): forgets what was counted.
-- WHY counts in base 36 (1o is 60): a day with a hundred jobs a second takes 60 KB so, and 74 KB in decimal.
-- WHY strict: somebody may have written other things into these hashes by hand.
-- @use as_count clock
local PERIOD_EVENTS = {'enqueued', 'completed', 'retried', 'dead', 'cancelled'}
local LAST_BUCKET = 24
local DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz'
local function base36(count)
  local text = ''
  repeat
    local digit = count % 36
    text, count = string.sub(DIGITS, digit + 1, digit + 1) .. text, (count - digit) / 36
  until count == 0
  return text
end

local function minute_key(period, at) return base .. 'minute:' .. digits(5 * period + at) end

local function bucket_counts(period)
  local buckets = {wait = {}, run = {}}
  local counted = redis.pcall('HGETALL', base .. 'times:' .. digits(period))
  for i = 1, #counted, 2 do
    local metric, bucket = string.match(counted[i], '^(%l+) (%d+)$')
    if buckets[metric] and tonumber(bucket) <= LAST_BUCKET then
      buckets[metric][tonumber(bucket)] = as_count(counted[i + 1])
    end
  end
  return buckets
end

local function bucket_text(counts)
  local first, last
  for bucket = 0, LAST_BUCKET do
    if (counts[bucket] or 0) > 0 then first, last = first or bucket, bucket end
  end
  local texts = {}
  for bucket = first or 0, last or -1 do texts[#texts + 1] = base36(counts[bucket] or 0) end
  return first and first .. ':' .. table.concat(texts, ',') or ''
end

local function period_numbers(period)
  local of_minutes = {}
  for at = 0, 4 do of_minutes[at + 1] = redis.pcall('HMGET', minute_key(period, at), unpack(PERIOD_EVENTS)) end
  local numbers = {'period', digits(period)}
  for place, event in ipairs(PERIOD_EVENTS) do
    local texts, sum = {}, 0
    for at, counts in ipairs(of_minutes) do
      local count = as_count(counts[place])
      texts[at], sum = base36(count), sum + count
    end
    numbers[#numbers + 1] = event
    numbers[#numbers + 1] = sum > 0 and table.concat(texts, ',') or ''
  end
  local buckets = bucket_counts(period)
  for _, metric in ipairs({'wait', 'run'}) do
    numbers[#numbers + 1] = metric
    numbers[#numbers + 1] = bucket_text(buckets[metric])
  end
  return numbers
end

local function drop_period(period)
  redis.call('UNLINK', base .. 'times:' .. digits(period))
  for at = 0, 4 do redis.call('UNLINK', minute_key(period, at)) end
  redis.call('ZREM', base .. 'rollups', digits(period))
end
