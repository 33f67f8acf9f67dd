-- by_fields(job, token, worker): what a job's own fields say of an attempt: 'mine' | 'done' | 'stale', as below; and its
-- `retain`, for fade.
-- WHY `completed` is done: only the attempt that holds a job completes it, and finish leaves no `ended` behind.
local function by_fields(job, token, worker)
  local f = redis.pcall('HMGET', job, 'state', 'worker', 'claims', 'retain')
  local is_its_own = f[2] == worker and f[3] == token
  if is_its_own and f[1] == 'active' then return 'mine', f[4] end
  if is_its_own and f[1] == 'completed' or redis.pcall('HGET', job, 'ended') == token then return 'done' end
  return 'stale'
end

-- own(id, token, worker): may this runner end the attempt `token` of job `id`? Says 'mine', and has then taken the job out of
-- the runner's own list; 'done' where it was ended under this token already (a call sent again after a lost reply);
-- 'stale' where the job belongs to somebody else by now, and then nothing is changed. Behind 'mine': its `retain`.
-- WHY the LREM comes last and is asked for its count: a list emptied by a reaper is the last word on who owns what.
local function own(id, token, worker)
  local verdict, retain = by_fields(base .. 'job:' .. id, token, worker)
  if verdict == 'mine' and redis.call('LREM', base .. 'active:' .. worker, '-1', id) == 0 then return 'stale' end
  return verdict, retain
end

-- WHAT a call that ends attempts answers, a letter a job.
local ANSWER = {mine = '1', done = '1', stale = '0'}
