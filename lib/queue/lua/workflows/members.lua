#!lua flags=no-writes
-- members.lua: the jobs of a workflow, in no order.
-- KEYS 1 base
-- ARGV 1 workflow
-- RETURNS {} there is no such workflow | for each job: its id, and '<rule><mark><place>/<name>' (parts/edges.lua), as
--      in 'mc0/fetch'
-- WHY no sorting here: of a thousand jobs it takes Redis ten milliseconds, and two without.
-- @use edges
local reply = {}
for id, rule, mark, name in each_edge(ARGV[1]) do
  if is_of_own_job(rule) then
    reply[#reply + 1] = id
    reply[#reply + 1] = rule .. mark .. name
  end
end
return reply
