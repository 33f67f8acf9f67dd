#!lua flags=no-writes
-- glance.lua: what the view of a workflow shows of each job.
-- KEYS 1 base
-- ARGV ids, 200 at most
-- RETURNS for each: '' there is no such job | state, type, ms at which it ended or '', and its edges (record_text.lua),
--      parted by \31
-- @use record_text type_of_job
local reply = {}
for i, id in ipairs(ARGV) do
  local job = base .. 'job:' .. id
  local state, finished, waits = unpack(redis.pcall('HMGET', job, 'state', 'finished', 'waits'))
  local edges = waits and edges_text(id) or ''
  reply[i] = state and table.concat({state, type_of_job(job), finished or '', edges}, '\31') or ''
end
return reply
