-- depth(): how many jobs are ready or delayed: all jobs, less the ended and the blocked ones, less those in runners'
-- active lists.
-- WHY the newest entry of an active list is looked at: it may have been popped and not claimed yet, and is ready
-- then, or it is a bell, or the id of a job that was cancelled.
-- @use clock states
local function depth()
  local jobs = redis.call('ZCARD', base .. 'all') - redis.call('ZCARD', base .. 'blocked')
  for state, is_living in pairs(LIVES) do
    if not is_living then jobs = jobs - redis.call('ZCARD', base .. state) end
  end
  for _, runner in ipairs(redis.call('HKEYS', base .. 'workers')) do
    local active_list = base .. 'active:' .. runner
    jobs = jobs - redis.call('LLEN', active_list)
    local newest = redis.call('LRANGE', active_list, 0, 0)[1]
    if newest and redis.call('HGET', base .. 'job:' .. newest, 'state') ~= 'active' then jobs = jobs + 1 end
  end
  return jobs
end

-- drained_in_s(jobs): seconds until so many jobs have ended, at the pace of the last minute; 60 where none ended, at
-- most an hour.
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
