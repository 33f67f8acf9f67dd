-- announce(state, ids): one stream entry for all jobs that this call ended; whoever waits for one reads the stream.
local function announce(state, ids)
  if #ids == 0 then return end
  redis.call('XADD', base .. 'events', 'MAXLEN', '~', 1000, '*', 'state', state, 'ids', table.concat(ids, ','))
end
