-- revive(id, is_from_start): a job that has ended runs again as if it were new: it is ready, at the end of its list.
-- Its history gets a line about the last attempt. is_from_start: the job loses its checkpoint.
-- clear_end(id, is_from_start): the first part of that: what the record says of the end and of the attempts goes.
-- run_again(id): the second part.
-- The caller has checked that the job has ended, and the types of the index and of the ready lists, and calls
-- publish_ready (make_ready.lua) behind the last job.
-- WHY claims and ended stay: the fence must still know the tokens of the old attempts.
-- WHY who was told of the end is told of the next one, too: by then the job may have done what they wait for.
-- @use clock history make_ready notices ready_list
local function clear_end(id, is_from_start)
  local job = base .. 'job:' .. id
  local state, error_text, finished, runner, claims, followed =
    unpack(redis.call('HMGET', job, 'state', 'error', 'finished', 'worker', 'claims', 'followed'))
  -- A job without a runner never ran: it was cancelled, or expired, while it waited.
  if runner then
    remember(job, state, state ~= 'completed' and error_text or nil, finished)
    -- WHY SREM: the runner that was to stop the job would stop its next attempt, if that runner claims the job again.
    redis.pcall('SREM', base .. 'cancels:' .. runner, id, '!' .. id)
  end
  redis.call('ZREM', base .. state, id)
  redis.pcall('ZREM', base .. 'fading', id)
  redis.call('HDEL', job, 'attempts', 'crashes', 'suspect', 'started', 'finished', 'worker', 'error', 'progress',
    'result', 'result_truncated', 'result_error', 'cancel_requested', 'unknown_since', 'expires', 'unbegun',
    'by_parents', 'superseded')
  -- WHY a completed job loses its checkpoint: older runners that complete a job leave the checkpoint there.
  if state == 'completed' or is_from_start then redis.call('HDEL', job, 'checkpoint', 'checkpointed') end
  -- Until now the state said that the last attempt is over (fence.lua).
  if state == 'completed' and claims then redis.call('HSET', job, 'ended', claims) end
  if followed then wait_for(id, followed) end
end

local function run_again(id)
  local job = base .. 'job:' .. id
  local priority, group, patience, stale_in =
    unpack(redis.call('HMGET', job, 'priority', 'group', 'patience', 'listed'))
  if patience then redis.call('HSET', job, 'gives_up', digits(now_ms + (tonumber(patience) or 0))) end
  make_ready(id, job, ready_list(priority, nil, group), stale_in, 'since', now)
end

local function revive(id, is_from_start)
  clear_end(id, is_from_start)
  run_again(id)
end
