#!lua flags=no-writes
-- stats.lua: the numbers of a queue by periods of five minutes.
-- KEYS 1 base
-- ARGV 1 id of the entry of the stream `stats` behind which to begin, or ''  2 how many ms back to begin without one,
--      and with periods that are not rolled up yet  3 the score in `rollups` below which these are told, or ''
-- RETURNS {now (ms), the id of the last entry or '', kept, open, the score below which to go on, or ''}: kept: the
--      entries. open: periods that are not rolled up yet, OPEN_AT_ONCE at most, the newest first. Both are texts
--      'name\31value\31name\31value …\30name …', of the names that parts/period_numbers.lua has
-- WHY a few at once: a queue whose periods nobody has rolled up for a day has 300, and to read them takes 50 ms.
-- @use clock period_numbers
local OPEN_AT_ONCE = 20
local since = digits(now_ms - tonumber(ARGV[2]))
local start, below = ARGV[1] ~= '' and '(' .. ARGV[1] or since, ARGV[3] ~= '' and '(' .. ARGV[3] or '+inf'
local kept, open, last_id = {}, {}, ''
for _, entry in ipairs(redis.call('XRANGE', base .. 'stats', start, '+')) do
  local id, numbers = unpack(entry)
  last_id = id
  kept[#kept + 1] = table.concat(numbers, '\31')
end
local found = redis.call(
  'ZREVRANGEBYSCORE', base .. 'rollups', below, '(' .. since, 'WITHSCORES', 'LIMIT', 0, OPEN_AT_ONCE)
for i = 1, #found, 2 do
  local period = string.match(found[i], '^%d+$') and #found[i] <= 12 and tonumber(found[i])
  if period then open[#open + 1] = table.concat(period_numbers(period), '\31') end
end
local on = #found == 2 * OPEN_AT_ONCE and found[#found] or ''
return {now, last_id, table.concat(kept, '\30'), table.concat(open, '\30'), on}
