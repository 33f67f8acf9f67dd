-- take_out(id, job, state, priority, suspect, group, stale_in): take a job that waits out of where it stands, before it
-- ends. state to stale_in: fields of the job, stale_in `listed`.
-- WHY a ready job's id stays in its list: stale_ids.lua.
-- @use mark_stale ready_list unblock
local function take_out(id, job, state, priority, suspect, group, stale_in)
  if state == 'ready' then
    mark_stale(job, stale_in, ready_list(priority, suspect, group))
  elseif state == 'blocked' then
    unblock(id)
  else
    redis.call('ZREM', base .. 'delayed', id)
  end
  if suspect then redis.call('HDEL', job, 'suspect') end
end
