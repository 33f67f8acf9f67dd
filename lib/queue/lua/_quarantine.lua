-- quarantine(id, reason): what stood in a list and is no job; kept for a person to look at.
local function quarantine(id, reason)
  redis.call('LPUSH', base .. 'quarantine', string.sub(id, 1, 256) .. '\31' .. reason .. '\31' .. now_ms)
  redis.call('LTRIM', base .. 'quarantine', 0, 999)
end

-- drop(id, is_job, list): an id that was taken from a list and is not to run: left there, deleted since, or never a job.
local function drop(id, is_job, list)
  if is_job then
    local job = base .. 'job:' .. id
    local listed = redis.call('HGET', job, 'listed')
    if listed then strike(job, listed, list) end
  elseif id ~= 'bell' then
    local places = tonumber(redis.call('HGET', base .. 'gone', id))
    if not places then return quarantine(id, 'no job has this id') end
    if places > 1 then redis.call('HSET', base .. 'gone', id, places - 1) else redis.call('HDEL', base .. 'gone', id) end
  end
end
