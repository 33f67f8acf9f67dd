-- place_in_graph(id, options): where a job that take_in has just made is open from the start, a workflow that waits for
-- nothing or the anchor of a graph, whoever waits for that is to be told.
-- @use notices
local function place_in_graph(id, options)
  if options.opens then give_notice(id, 'o', options.opens, '') end
  if not options.is_workflow then return end
  local own_jobs = {}
  for rule, parent in string.gmatch(options.edges, '(%l)([^ ,]+) ') do
    if rule ~= 'm' and rule ~= 'n' then return end
    own_jobs[#own_jobs + 1] = parent
  end
  redis.call('HSET', base .. 'job:' .. id, 'opened', '1')
  give_notice(id, 'o', table.concat(own_jobs, ','), '')
end
