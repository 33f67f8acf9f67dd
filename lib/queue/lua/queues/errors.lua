#!lua flags=no-writes
-- errors.lua: the kinds of errors of a queue, by hours (parts/note_error.lua).
-- KEYS 1 base
-- ARGV 1 how many hours, with this one
-- RETURNS {now (ms), hour, kinds, hour, kinds …} of the hours that have any; kinds is a text
--      'kind\30counts\30kind\30counts …'
-- @use clock
local found, hour = {now}, math.floor(now_ms / 3600000)
for at = hour - tonumber(ARGV[1]) + 1, hour do
  local kinds = redis.call('HGETALL', base .. 'errors:' .. digits(at))
  if #kinds > 0 then
    found[#found + 1] = digits(at)
    found[#found + 1] = table.concat(kinds, '\30')
  end
end
return found
