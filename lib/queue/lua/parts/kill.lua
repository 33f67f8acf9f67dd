-- die(id, job, error, by): dead without an attempt of its own. `buried`: those that were, for the log of whoever called.
-- WHY the index comes first: where somebody broke it, the job is as it was.
-- @use clock events fade tally
local buried = {}
local function die(id, job, error_text, by)
  redis.call('ZADD', base .. 'dead', now, id)
  redis.call('HSET', job, 'state', 'dead', 'finished', now, 'error', error_text)
  fade(id, redis.call('HGET', job, 'retain'))
  announce('dead', {id}, by)
  tally('dead', {[kind_of(job)] = 1})
  buried[#buried + 1] = id
end

-- give_up(id, job): its give_up_after_s is over, and no attempt begins any more. The cause is what the last one failed with.
local function give_up(id, job)
  local f = redis.call('HMGET', job, 'attempts', 'error')
  local when = f[1] and 'before its next try' or 'before it had begun'
  local cause = f[1] and f[2] and string.sub(f[2], 1, 1) == '{' and ',"cause":' .. f[2] or ''
  die(id, job, '{"type":"gave_up","message":"its give_up_after_s was over ' .. when .. '"' .. cause .. '}', 'expire')
end

-- expire(id, job): it was to begin before a certain time and has not.
local function expire(id, job)
  die(id, job, '{"type":"expired","message":"it had not begun when its expires_in_s was over"}', 'expire')
end
