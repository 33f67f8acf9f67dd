-- quarantine(id, reason): what stood in a list and is no job; kept for a person to look at, where it can be.
-- @use clock stale_ids
local function quarantine(id, reason)
  redis.pcall('LPUSH', base .. 'quarantine', string.sub(id, 1, 256) .. '\31' .. reason .. '\31' .. now)
  redis.pcall('LTRIM', base .. 'quarantine', 0, 999)
end

local STATES = {ready = 1, delayed = 1, active = 1, completed = 1, dead = 1, cancelled = 1}

-- drop(id, state, list): an id that was taken from a list and is not to run: left there, deleted since, or never a job.
local function drop(id, state, list)
  if state and not STATES[state] then
    quarantine(id, 'its state is none')
  elseif state then
    local job = base .. 'job:' .. id
    local listed = redis.call('HGET', job, 'listed')
    if listed then strike(job, listed, list) end
  elseif id ~= 'bell' then
    local places = tonumber(redis.pcall('HGET', base .. 'gone', id))
    if not places then return quarantine(id, 'no job has this id') end
    if places > 1 then redis.call('HSET', base .. 'gone', id, places - 1) else redis.call('HDEL', base .. 'gone', id) end
  end
end
