-- take_out(ids, worker): take these out of the runner's own list. Gives id -> 0 where one did not stand in it, else not 0.
-- WHY at once: an LREM for each costs more than all else that finish does for a job, for the AOF is told of each.
-- WHY the right end: what was claimed first stands there, and most of it ends first. Who ends out of turn among twice as
-- many goes with them; who stands farther left, by itself.
-- WHY one table: Lua makes a table anew each time it has doubled.
-- @use clock
local function take_out(ids, worker)
  local own_list, place = base .. 'active:' .. worker, {}
  for _, id in ipairs(ids) do place[id] = 0 end
  local last = redis.call('LRANGE', own_list, digits(-2 * #ids), '-1')
  local first = #last + 1
  for i = #last, 1, -1 do
    if place[last[i]] == 0 then
      place[last[i]] = i
      first = i
    end
  end
  local rest = {}
  for i = first, #last do
    if place[last[i]] ~= i then rest[#rest + 1] = last[i] end
  end
  if first <= #last then redis.call('LTRIM', own_list, '0', digits(first - #last - 2)) end
  if #rest > 0 then redis.call('RPUSH', own_list, unpack(rest)) end
  for id, at in pairs(place) do
    if at == 0 then place[id] = redis.call('LREM', own_list, '-1', id) end
  end
  return place
end
