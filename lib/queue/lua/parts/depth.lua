-- depth(): jobs that are ready or delayed: all less those that have finished or are in a runner's hands.
-- WHY the newest of a runner's list is looked at: it may have been popped and not claimed yet, and is ready then, or
-- be a bell, or a job that was cancelled.
-- @use clock
local function depth()
  local jobs = redis.call('ZCARD', base .. 'all')
  for _, state in ipairs({'completed', 'dead', 'cancelled'}) do jobs = jobs - redis.call('ZCARD', base .. state) end
  for _, worker in ipairs(redis.call('HKEYS', base .. 'workers')) do
    local hands = base .. 'active:' .. worker
    jobs = jobs - redis.call('LLEN', hands)
    local newest = redis.call('LRANGE', hands, 0, 0)[1]
    if newest and redis.call('HGET', base .. 'job:' .. newest, 'state') ~= 'active' then jobs = jobs + 1 end
  end
  return jobs
end

-- drained_in_s(jobs): seconds until so many have gone, going by the last minute; 60 where none went, an hour at most.
local function drained_in_s(jobs)
  local minute, rate = math.floor(now_ms / 60000), 0
  local share = now_ms % 60000 / 60000
  for at, weight in pairs({[minute] = 1, [minute - 1] = 1 - share}) do
    for _, count in ipairs(redis.pcall('HMGET', base .. 'minute:' .. at, 'completed', 'dead')) do
      rate = rate + (tonumber(count or 0) or 0) * weight
    end
  end
  if rate == 0 then return 60 end
  return math.max(1, math.min(3600, math.ceil(jobs * 60 / rate)))
end
