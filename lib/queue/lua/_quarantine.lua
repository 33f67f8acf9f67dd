-- quarantine(id, reason): what stood in a list and is no job; kept for a person to look at.
local function quarantine(id, reason)
  redis.call('LPUSH', base .. 'quarantine', string.sub(id, 1, 256) .. '\31' .. reason .. '\31' .. now_ms)
  redis.call('LTRIM', base .. 'quarantine', 0, 999)
end

-- drop(id): an id that was taken from a list and is not to run: cancelled there, deleted since, or never a job.
local function drop(id, is_job)
  if is_job then
    redis.call('HDEL', base .. 'job:' .. id, 'listed')
  elseif id ~= 'bell' and redis.call('SREM', base .. 'gone', id) == 0 then
    quarantine(id, 'no job has this id')
  end
end
