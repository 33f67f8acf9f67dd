-- queue_room(concurrency, rate): what a queue's own limits leave, by its settings of these names or false. `slots`: how
-- many more jobs may run at once; `starts`: how many may start now; where that is 0, `rest_ms` until the next may.
-- What runs is counted by the ids in the runners' active lists and in `outside`.
-- WHY no counter: a counter that is wrong once stays wrong.
-- @use rate
local function count_active()
  local count = redis.call('ZCARD', base .. 'outside')
  for _, other in ipairs(redis.call('HKEYS', base .. 'workers')) do
    count = count + redis.call('LLEN', base .. 'active:' .. other)
  end
  return count
end

local function queue_room(concurrency, rate)
  local room = {slots = math.huge, starts = math.huge}
  if tonumber(concurrency) then room.slots = tonumber(concurrency) - count_active() end
  room.rate_limit, room.rate_ms = rate_in(rate)
  if room.rate_limit then
    room.starts, room.rest_ms = rate_room(base .. 'rate:', room.rate_limit, room.rate_ms)
  end
  return room
end
