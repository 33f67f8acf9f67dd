-- A job that waits outside: a service has taken its request, does the work, and calls back when that is done
-- (jobs/hand_over.lua). The job is blocked, holds its slot in its group, and stands in `outside` until its deadline.
-- is_outside(id): does the job wait for a callback?
local function is_outside(id) return redis.call('ZSCORE', base .. 'outside', id) ~= false end
