-- publish_numbers(by): an entry of no job in the queue's stream, while somebody listens: what census.lua tells of the
-- queue is another now, though no job has changed its state. by: adjust, forget, register or reap.
-- WHY the state `listened`: a server that does not know such entries sends `reset` for one, as for listen.lua's own,
-- and its readers read the jobs anew. Under another state it would take the empty ids for a job's.
local function publish_numbers(by)
  if redis.call('EXISTS', base .. 'listened') == 0 then return end
  redis.pcall('XADD', base .. 'events', 'MAXLEN', '~', '10000', '*', 'state', 'listened', 'by', by, 'ids', '')
end
