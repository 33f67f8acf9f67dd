#!lua flags=no-writes
-- stats.lua: the numbers of a queue by periods of five minutes.
-- KEYS 1 base
-- ARGV 1 id of the entry of the stream `stats` behind which to begin, or ''  2 how many ms back to begin without one
-- RETURNS {now (ms), the id of the last entry or '', kept, open}: kept: the entries. open: periods that are not rolled
--      up yet. Both are texts 'name\31value\31name\31value …\30name …', of the names that parts/period_numbers.lua has
-- @use clock period_numbers
local MOST_OPEN = 300
local start = ARGV[1] ~= '' and '(' .. ARGV[1] or digits(now_ms - tonumber(ARGV[2]))
local kept, open, last_id = {}, {}, ''
for _, entry in ipairs(redis.call('XRANGE', base .. 'stats', start, '+')) do
  local id, numbers = unpack(entry)
  last_id = id
  kept[#kept + 1] = table.concat(numbers, '\31')
end
for _, text in ipairs(redis.call('ZREVRANGE', base .. 'rollups', 0, MOST_OPEN - 1)) do
  local period = string.match(text, '^%d+$') and #text <= 12 and tonumber(text)
  if period then open[#open + 1] = table.concat(period_numbers(period), '\31') end
end
return {now, last_id, table.concat(kept, '\30'), table.concat(open, '\30')}
