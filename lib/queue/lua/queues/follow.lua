#!lua flags=no-writes
-- follow.lua: the entries of the queue's stream behind an entry.
-- KEYS 1 base
-- ARGV 1 the id of the last entry that was read, as '1760000000123-0'  2 most entries
-- RETURNS {'gap' where Redis has deleted entries behind that one already, or '', entry id, state, by, job ids, entry
--      id …}, as in {'', '1760000000124-0', 'completed', 'complete', 'emails-01a2…,emails-01a2…'}
local ms, number = string.match(ARGV[1], '^(%d+)-(%d+)$')
local oldest = redis.call('XRANGE', base .. 'events', '-', '+', 'COUNT', 1)[1]
local oldest_ms, oldest_number = string.match(oldest and oldest[1] or '0-0', '^(%d+)-(%d+)$')
local is_behind = tonumber(oldest_ms) > tonumber(ms)
  or (tonumber(oldest_ms) == tonumber(ms) and tonumber(oldest_number) > tonumber(number))

local reply = {(is_behind or not oldest) and 'gap' or ''}
for _, entry in ipairs(redis.call('XRANGE', base .. 'events', '(' .. ARGV[1], '+', 'COUNT', ARGV[2])) do
  local fields = {}
  for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
  reply[#reply + 1] = entry[1]
  for _, name in ipairs({'state', 'by', 'ids'}) do reply[#reply + 1] = fields[name] or '' end
end
return reply
