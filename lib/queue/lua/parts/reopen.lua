-- reopen(id, rules, classes): edges of these rules and classes are open again, and are asked for anew. rules: 'mn', or
-- ALL_RULES; classes: class -> true, as in NOT_GOT, of all edges that have not got what they wait for.
-- @use edges
local ALL_RULES, NOT_GOT = 'cefoamn', {bad = true, lost = true, cut = true}
local function reopen(id, rules, classes)
  local fields, changes = {}, {}
  local function change(name, by) changes[name] = (changes[name] or 0) + by end
  for parent, rule, mark, name in each_edge(id) do
    local class = class_of(rule, mark)
    if classes[class] and string.find(rules, rule, 1, true) then
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
