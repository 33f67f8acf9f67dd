-- reopen(id, is_void): some of the job's edges are open again, and are asked for anew: those for which
-- is_void(rule, mark, class) is true. Returns whether there were such.
-- NOT_GOT[class]: true of an edge that has not got what it waits for.
-- @use edges
local NOT_GOT = {bad = true, lost = true, cut = true}
local function reopen(id, is_void)
  local fields, changes = {}, {}
  local function change(name, by) changes[name] = (changes[name] or 0) + by end
  for parent, rule, mark, name in each_edge(id) do
    local class = class_of(rule, mark)
    if class ~= 'open' and is_void(rule, mark, class) then
      fields[#fields + 1] = parent
      fields[#fields + 1] = rule .. '.' .. name .. '\31'
      if class ~= 'ok' then change(count_name(rule, class), -1) end
      change(count_name(rule, 'open'), 1)
    end
  end
  for at = 1, #fields, 1000 do
    redis.call('HSET', parents_of(id), unpack(fields, at, math.min(at + 999, #fields)))
  end
  for name, by in pairs(changes) do redis.call('HINCRBY', parents_of(id), name, by) end
  return #fields > 0
end
