#!lua flags=no-writes
-- members.lua: the jobs of a workflow, in the order in which they were planned.
-- KEYS 1 base
-- ARGV 1 workflow
-- RETURNS {} there is no such workflow | for each job: id, name, rule, mark (parts/edges.lua)
-- @use edges
local found = {}
for id, rule, mark, name in each_edge(ARGV[1]) do
  local place, own_name = string.match(name, '^(%d+)/(.*)$')
  if is_of_own_job(rule) then
    found[#found + 1] = {place = tonumber(place) or 0, id = id, name = own_name or name, rule = rule, mark = mark}
  end
end
table.sort(found, function(a, b) return a.place < b.place or (a.place == b.place and a.id < b.id) end)

local reply = {}
for _, member in ipairs(found) do
  for _, value in ipairs({member.id, member.name, member.rule, member.mark}) do reply[#reply + 1] = value end
end
return reply
