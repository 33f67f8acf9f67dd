#!lua flags=allow-oom
-- rollup.lua: the numbers of periods that are over move into the stream `stats`, an entry each.
-- KEYS 1 base
-- ARGV 1 most periods  2 ms for which an entry is kept
-- RETURNS 'more' where other periods are to be rolled up, or ''
-- @use check_types clock period_numbers
-- WHY a number as id of its own (*): a period may come twice, where Redis' clock was set back, or late, where no
-- worker had run for hours. Whoever reads adds entries of one period up.
-- WHY no period that began before that: what was counted in it has expired, and a queue that nobody served for a month
-- has thousands.
local limit, kept_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
check_types('XLEN', 'stats')
local periods = redis.call('ZRANGEBYSCORE', base .. 'rollups', '-inf', now, 'LIMIT', 0, limit)
for _, text in ipairs(periods) do
  local period = string.match(text, '^%d+$') and #text <= 12 and tonumber(text)
  if period and (period + 1) * 300000 > now_ms - kept_ms then
    redis.call('XADD', base .. 'stats', '*', unpack(period_numbers(period)))
    drop_period(period)
  else
    redis.call('ZREM', base .. 'rollups', text)
  end
end
redis.call('XTRIM', base .. 'stats', 'MINID', digits(now_ms - kept_ms))
redis.call('PEXPIRE', base .. 'stats', digits(kept_ms))
return #periods == limit and 'more' or ''
