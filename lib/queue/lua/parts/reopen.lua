-- reopen(id, rules): what the job's edges of these rules have not got is open again, and is asked for anew: edges whose
-- class is bad, lost or cut. rules: 'mn', or 'cefomn' for all.
-- @use edges
local function reopen(id, rules)
  local fields, changes = {}, {}
  local function change(name, by) changes[name] = (changes[name] or 0) + by end
  for parent, rule, mark, name in each_edge(id) do
    local class = class_of(rule, mark)
    if string.find(rules, rule, 1, true) and (class == 'bad' or class == 'lost' or class == 'cut') then
      fields[#fields + 1] = parent
      fields[#fields + 1] = rule .. '.' .. name .. '\31'
      change(count_name(rule, class), -1)
      change(count_name(rule, 'open'), 1)
    end
  end
  for at = 1, #fields, 1000 do
    redis.call('HSET', parents_of(id), unpack(fields, at, math.min(at + 999, #fields)))
  end
  for name, by in pairs(changes) do redis.call('HINCRBY', parents_of(id), name, by) end
end
