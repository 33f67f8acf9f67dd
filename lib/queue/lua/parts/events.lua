-- announce(state, ids, by): one stream entry for all jobs that this call brought to `state`. Whoever waits for a job's
-- end reads the stream, so endings are always told.
-- WHY pcall: a stream that somebody broke costs those that wait a few seconds, and no job its end.
-- WHY the length depends on the ids: an entry of 500 takes 20 KB, and a thousand of those are enough of memory.
local function announce(state, ids, by)
  if #ids == 0 then return end
  local length = #ids > 10 and '1000' or '10000'
  redis.pcall('XADD', base .. 'events', 'MAXLEN', '~', length, '*', 'state', state, 'by', by, 'ids', table.concat(ids, ','))
end

-- tell(state, ids, by): the same of what is no end, while somebody listens to every transition. See listen.lua.
-- WHY not always: an entry takes 3 microseconds of Redis, and most of the time nobody would read it.
local function tell(state, ids, by)
  if #ids > 0 and redis.call('EXISTS', base .. 'listened') == 1 then announce(state, ids, by) end
end
