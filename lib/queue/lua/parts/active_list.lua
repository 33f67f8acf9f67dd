-- remove_from_active(ids, runner): take these ids out of the runner's active list. Returns id -> 0 where the id was
-- not in the list, and another number where it was.
-- The oldest claims are at the right end, and mostly end first. So the last 2 × #ids entries are read, the list is cut
-- off left of the leftmost id that goes, and the other entries from there on are pushed back. An id that stands farther
-- left is removed by an LREM of its own.
-- WHY not an LREM each: it costs more than all else that finish does for a job, for each one goes to the AOF by itself.
-- WHY one table: Lua makes a table anew each time it has doubled.
-- @use clock
local function remove_from_active(ids, runner)
  local list, found = base .. 'active:' .. runner, {}
  for _, id in ipairs(ids) do found[id] = 0 end
  local last = redis.call('LRANGE', list, digits(-2 * #ids), '-1')
  local first = #last + 1
  for i = #last, 1, -1 do
    if found[last[i]] == 0 then
      found[last[i]] = i
      first = i
    end
  end
  local rest = {}
  for i = first, #last do
    if found[last[i]] ~= i then rest[#rest + 1] = last[i] end
  end
  if first <= #last then redis.call('LTRIM', list, '0', digits(first - #last - 2)) end
  if #rest > 0 then redis.call('RPUSH', list, unpack(rest)) end
  for id, at in pairs(found) do
    if at == 0 then found[id] = redis.call('LREM', list, '-1', id) end
  end
  return found
end
