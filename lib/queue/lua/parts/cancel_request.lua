-- stop_if_asked(job, id, token): a job that was asked to stop while it ran does not run again. Says whether it stopped it.
-- @use clock events fade tally
local function stop_if_asked(job, id, token)
  if redis.call('HEXISTS', job, 'cancel_requested') == 0 then return false end
  redis.call('HSET', job, 'state', 'cancelled', 'finished', now)
  if token then redis.call('HSET', job, 'ended', token) end
  redis.call('ZADD', base .. 'cancelled', now, id)
  fade(id, redis.call('HGET', job, 'retain'))
  announce('cancelled', {id}, 'cancel')
  tally('cancelled', {[kind_of(job)] = 1})
  return true
end
