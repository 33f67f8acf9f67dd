-- give_back(id, job, list, name, value …): a runner gives a job back. The job is ready, and the next in `list`; the
-- fields are written with its state. publish_ready (make_ready.lua) is to be called behind the last one.
-- WHY RPUSH: claim takes the right end, so that a job that has waited already is next, not last.
-- @use lines make_ready
local function give_back(id, job, list, ...)
  if push('RPUSH', list, id) then needs_bell = true end
  redis.call('HSET', job, 'state', 'ready', ...)
  made_ready[#made_ready + 1] = id
end
