-- own(id, token, worker): may this runner end the attempt `token` of job `id`? Says 'mine', and has then taken the job out of
-- the runner's own list; 'done' where it was ended under this token already (a call sent again after a lost reply);
-- 'stale' where the job belongs to somebody else by now, and then nothing is changed.
-- WHY the LREM comes last and is asked for its count: a list emptied by a reaper is the last word on who owns what.
local function own(id, token, worker)
  local f = redis.pcall('HMGET', base .. 'job:' .. id, 'state', 'worker', 'claims', 'ended')
  if f[4] == token then return 'done' end
  if f[1] ~= 'active' or f[2] ~= worker or f[3] ~= token then return 'stale' end
  if redis.call('LREM', base .. 'active:' .. worker, -1, id) == 0 then return 'stale' end
  return 'mine'
end

-- WHAT a call that ends attempts answers, a letter a job.
local ANSWER = {mine = '1', done = '1', stale = '0'}
