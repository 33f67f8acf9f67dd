#!lua flags=no-writes
-- glance.lua: what the view of a workflow shows of each job.
-- KEYS 1 base
-- ARGV ids, 200 at most
-- RETURNS for each: '' there is no such job | parted by \31: state, type, ms at which it is due while it is delayed, ms
--      at which it was claimed last, ms at which it ended, each '' for none, and its edges (record_text.lua)
-- @use record_text type_of_job
local reply = {}
for i, id in ipairs(ARGV) do
  local job = base .. 'job:' .. id
  local state, started, finished, waits = unpack(redis.pcall('HMGET', job, 'state', 'started', 'finished', 'waits'))
  local due, edges = state == 'delayed' and score_in('delayed', id) or '', waits and edges_text(id) or ''
  reply[i] = state and table.concat({state, type_of_job(job), due, started or '', finished or '', edges}, '\31') or ''
end
return reply
