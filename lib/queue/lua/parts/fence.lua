-- The fence: only the runner that holds a job under its newest token may end the attempt. Each claim gives the job a
-- new token, the number in its field `claims`.

-- verdict_on(job, token, runner): how the job's record knows this attempt. 'mine': the attempt runs; the job's `retain`
-- and `group` are returned as well. 'done': the attempt has ended under this token (the call was sent again, for its
-- reply was lost). 'stale': another attempt, or none, holds the job by now.
-- WHY `completed` is done: only the attempt that holds a job completes it, and finish writes no `ended`.
local function verdict_on(job, token, runner)
  local f = redis.pcall('HMGET', job, 'state', 'worker', 'claims', 'retain', 'group')
  local state, owner, claims, retain, group = f[1], f[2], f[3], f[4], f[5]
  local is_its_own = owner == runner and claims == token
  if is_its_own and state == 'active' then return 'mine', retain, group end
  if is_its_own and state == 'completed' or redis.pcall('HGET', job, 'ended') == token then return 'done' end
  return 'stale'
end

-- A script's answer for each verdict, a letter a job.
local ANSWERS = {mine = '1', done = '1', stale = '0'}
