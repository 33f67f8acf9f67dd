-- is_alone(worker): is it an isolation runner's id (ids.py)? Each job that it holds is a suspect, and has it to itself.
-- @use stale_ids
local function is_alone(worker) return string.sub(worker, -6) == '.alone' end

-- back_to_suspects(id, job): an isolation runner gives the job back: it is a suspect still, and the next.
local function back_to_suspects(id, job)
  redis.call('HSET', job, 'suspect', '1')
  redis.call('RPUSH', base .. home(nil, true), id)
end
