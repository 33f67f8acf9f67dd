-- end_attempt(id, token, runner): the verdict of verdict_on. Where it is 'mine', the job is out of the runner's active
-- list now; else nothing was changed.
-- WHY the LREM comes last and its count decides: a list that a reaper has emptied is the last word on who holds what.
-- @use fence
local function end_attempt(id, token, runner)
  local verdict = verdict_on(base .. 'job:' .. id, token, runner)
  if verdict == 'mine' and redis.call('LREM', base .. 'active:' .. runner, '-1', id) == 0 then return 'stale' end
  return verdict
end
