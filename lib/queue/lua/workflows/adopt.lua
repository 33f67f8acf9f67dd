#!lua
-- adopt.lua: a workflow has one more job, which is in Redis already and waits until the workflow is open.
-- KEYS 1 base
-- ARGV 1 workflow  2 id of the job  3 its name  4 rule: m or n (parts/edges.lua)  5 most jobs of a workflow
-- RETURNS 'done' | 'ended': the workflow has ended, or was asked to stop | 'full': it has as many jobs as it may
--      | 'taken ' and the id of another of its jobs, which has that name | 'gone': there is no such workflow
-- WHY the workflow can't end in between: the job that adds the new one is a job of the workflow, and still runs.
-- @use check_types edges notices
local workflow, id, name, rule, most = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local job = base .. 'job:' .. workflow

check_types('XLEN', 'notices')
local state, joins, is_to_stop, is_open =
  unpack(redis.call('HMGET', job, 'state', 'joins', 'cancel_requested', 'opened'))
if not joins then return 'gone' end
if redis.call('HEXISTS', parents_of(workflow), id) == 1 then return 'done' end
if state ~= 'blocked' or is_to_stop then return 'ended' end
for other, other_rule, _, other_name in each_edge(workflow) do
  if is_of_own_job(other_rule) and string.match(other_name, '/(.*)$') == name then return 'taken ' .. other end
end
if tonumber(joins) >= most then return 'full' end

redis.call('HSET', parents_of(workflow), id, rule .. '.' .. joins .. '/' .. name)
redis.call('HINCRBY', parents_of(workflow), '@open', '1')
redis.call('HINCRBY', job, 'joins', '1')
if is_open then give_notice(workflow, 'o', id, '') end
return 'done'
