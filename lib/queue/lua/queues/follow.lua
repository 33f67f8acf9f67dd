#!lua flags=no-writes
-- follow.lua: the stream's entries behind a place.
-- KEYS 1 base
-- ARGV 1 the id of the last entry read  2 most entries
-- RETURNS {'gap' where entries behind that place are gone already, or '', id, state, by, ids, id, state, by, ids …}
local ms, number = string.match(ARGV[1], '^(%d+)-(%d+)$')
local first = redis.call('XRANGE', base .. 'events', '-', '+', 'COUNT', 1)[1]
local first_ms, first_number = string.match(first and first[1] or '0-0', '^(%d+)-(%d+)$')
local is_behind = tonumber(first_ms) > tonumber(ms)
  or (tonumber(first_ms) == tonumber(ms) and tonumber(first_number) > tonumber(number))

local reply = {(is_behind or not first) and 'gap' or ''}
for _, entry in ipairs(redis.call('XRANGE', base .. 'events', '(' .. ARGV[1], '+', 'COUNT', ARGV[2])) do
  local fields = {}
  for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
  reply[#reply + 1] = entry[1]
  for _, name in ipairs({'state', 'by', 'ids'}) do reply[#reply + 1] = fields[name] or '' end
end
return reply
