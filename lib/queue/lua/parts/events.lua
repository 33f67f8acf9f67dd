-- announce(state, ids, by): one entry in the queue's stream for all jobs that this call brought to `state`. by: an
-- event of lib/jobs/state.py. An entry: state completed, by complete, ids emails-01a2…,emails-01a3….
-- Ends are always announced, for whoever waits for a job's end reads the stream.
-- WHY pcall: a stream that somebody broke delays those that wait by a few seconds, and keeps no job from ending.
-- WHY the stream's length depends on the ids: an entry of 500 ids takes 20 KB, and a thousand such entries are enough.
local function announce(state, ids, by)
  if #ids == 0 then return end
  local length = #ids > 10 and '1000' or '10000'
  local joined = table.concat(ids, ',')
  redis.pcall('XADD', base .. 'events', 'MAXLEN', '~', length, '*', 'state', state, 'by', by, 'ids', joined)
end

-- publish(state, ids, by): the same entry for a change that ends no job, but only while somebody listens (listen.lua).
-- WHY not always: an entry takes Redis 3 microseconds, and most of the time nobody would read it.
local is_listened  -- Does anybody? nil before this call has asked.
local function publish(state, ids, by)
  if #ids == 0 then return end
  if is_listened == nil then is_listened = redis.call('EXISTS', base .. 'listened') == 1 end
  if is_listened then announce(state, ids, by) end
end
